#!/usr/bin/env bash
# release.sh SERVICE VERSION: releases it, waits for the end, and says how it ended in a word that later steps can ask for. The
# exit code is ripcord's own: 0 complete, 6 rolled back and traffic is back, 4 traffic is NOT back (docs/exit-codes.md).
set -uo pipefail
service=$1 version=$2

arguments=(deploy "$service" --version "$version" --wait)
if [ -n "${GITHUB_SHA:-}" ]; then
  # Lead time is counted from the commit.
  arguments+=(--commit "$GITHUB_SHA" --commit-time "$(git show --no-patch --format=%cI "$GITHUB_SHA")")
fi
if [ -n "${GITHUB_SERVER_URL:-}" ]; then
  arguments+=(--attest "tests=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID")
  arguments+=(--as "${GITHUB_ACTOR:-github}")
fi
if [ -n "${OVERRIDE:-}" ]; then
  arguments+=(--waive alarms --override "$OVERRIDE")
fi

ripcord "${arguments[@]}"
code=$?
case $code in
  0) outcome=complete title= ;;
  3) outcome=refused title="Refused: nothing was moved" ;;
  4) outcome=not-back title="TRAFFIC IS NOT BACK: a person is needed now" ;;
  5) outcome=unreachable title="AWS was not reached: the release may be going on" ;;
  6) outcome=rolled-back title="Rolled back: traffic is on the stable version again" ;;
  *) outcome=unknown title="The release is no longer watched: it may be going on" ;;
esac
echo "outcome=$outcome" >> "${GITHUB_OUTPUT:-/dev/null}"
if [ -n "$title" ]; then
  echo "::error title=$title::$service version $version: look with: ripcord status $service"
fi
exit $code

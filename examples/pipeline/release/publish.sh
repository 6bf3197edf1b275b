#!/usr/bin/env bash
# publish.sh SERVICE PACKAGE: makes a version of the function SERVICE from a package, and says its number. No traffic moves: the
# alias stays where it is until Ripcord moves it. The same package twice is the same version twice, so a job may be run again.
set -euo pipefail
service=$1 package=$2

aws lambda update-function-code --function-name "$service" --zip-file "fileb://$package" >/dev/null
aws lambda wait function-updated-v2 --function-name "$service"
version=$(aws lambda publish-version --function-name "$service" --query Version --output text)
aws lambda wait published-version-active --function-name "$service" --qualifier "$version"

echo "$service is version $version"
echo "version=$version" >> "${GITHUB_OUTPUT:-/dev/null}"

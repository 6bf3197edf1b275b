// The rollback of one alarm with the AWS SDK for JavaScript v3: the calls that Ripcord makes, written as one would for
// Lambda and bundled into one file. Clients are made once, while the function starts; what does not depend on each
// other runs at the same time. The runtime loop at the end is leaner than the one in Lambda's own Node image.

import { Agent, request } from "node:http";
import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { DynamoDBClient, QueryCommand, TransactWriteItemsCommand } from "@aws-sdk/client-dynamodb";
import { GetAliasCommand, LambdaClient, UpdateAliasCommand } from "@aws-sdk/client-lambda";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";

const TABLE = process.env.RIPCORD_TABLE;
const TOPIC = process.env.RIPCORD_TOPIC_ARN;
const EVIDENCE_KEPT_S = 90 * 24 * 3600;
const QUARANTINE_KEPT_S = 7 * 24 * 3600;
const LOGS_BEFORE_MS = 15 * 60 * 1000;
const LOG_PATTERN = '?ERROR ?Error ?error ?Exception ?"Task timed out"';

const dynamodb = new DynamoDBClient({});
const lambda = new LambdaClient({});
const sns = new SNSClient({});
const logs = new CloudWatchLogsClient({});

const servicesOfAlarms = new Map();

async function query(partition) {
  const answer = await dynamodb.send(new QueryCommand({
    TableName: TABLE,
    KeyConditionExpression: "pk = :pk",
    ExpressionAttributeValues: { ":pk": { S: partition } },
    ConsistentRead: true,
  }));
  return answer.Items;
}

const documentOf = (item) => JSON.parse(item.doc.S);

function put(pk, sk, doc, { expiresAt, seq } = {}) {
  const Item = { pk: { S: pk }, sk: { S: sk }, doc: { S: JSON.stringify(doc) } };
  const write = { TableName: TABLE, Item };
  if (expiresAt !== undefined) Item.expires_at = { N: String(expiresAt) };
  if (seq !== undefined) {
    Object.assign(Item, { seq: { N: String(seq) }, phase: { S: doc.phase } });
    write.ConditionExpression = "seq = :before";
    write.ExpressionAttributeValues = { ":before": { N: String(seq - 1) } };
  }
  return { Put: write };
}

async function handle(event) {
  const { alarmArn: alarm, alarmData: { state } } = event;
  if (state.value !== "ALARM") return { course: "stand_down" };
  // What an earlier event taught is a first guess; the ledger is asked all the same, while the guess is followed.
  const guess = servicesOfAlarms.get(alarm) ?? [];
  const rollBackAll = (services) => Promise.all(services.map((guarded) => rollBack(guarded, event, state)));
  const [answers, items] = await Promise.all([rollBackAll(guess), query(`alarm#${alarm}`)]);
  const found = items.map(documentOf);
  servicesOfAlarms.set(alarm, found);
  const guessed = new Set(guess.map(({ service }) => service));
  return [...answers, ...await rollBackAll(found.filter(({ service }) => !guessed.has(service)))];
}

async function rollBack({ service, targets: [target] }, event, state) {
  const name = { FunctionName: target.function, Name: target.alias };
  const partition = `service#${service}`;
  const [items, alias] = await Promise.all([query(partition), lambda.send(new GetAliasCommand(name))]);

  const release = documentOf(items.find((item) => item.sk.S === "release"));
  const changedAt = new Date(state.timestamp.replace("+0000", "Z"));
  if (changedAt < new Date(release.opened_at) || release.phase === "rolled_back") return { course: "stand_down" };
  const [change] = release.changes;
  await lambda.send(new UpdateAliasCommand({
    ...name,
    FunctionVersion: change.stable,
    RoutingConfig: { AdditionalVersionWeights: {} },
    RevisionId: alias.RevisionId,
  }));

  const restored = await lambda.send(new GetAliasCommand(name));
  if (restored.FunctionVersion !== change.stable || restored.RoutingConfig) {
    throw new Error(`${target.function}:${target.alias} was changed by somebody else`);
  }
  const now = new Date();
  const nowS = Math.floor(now / 1000);
  const { generation } = release;
  const why = `${event.alarmData.alarmName} fired: ${state.reason}`;
  const key = String(generation).padStart(10, "0");
  const ended = { ...release, phase: "rolled_back", ended_at: now, ended_because: why, seq: release.seq + 1 };
  const past = { generation, target: change.target, version: change.candidate, at: now, reason: why };
  const { $metadata: _before, ...before } = alias;
  const { $metadata: _after, ...after } = restored;
  const evidence = { kind: "rollback", signal: event, alias: { before, after }, release: ended };
  await dynamodb.send(new TransactWriteItemsCommand({
    TransactItems: [
      put(partition, "release", ended, { seq: ended.seq }),
      put(`history#${service}`, key, ended),
      put(partition, `rollback#${key}#${change.target}`, past, { expiresAt: nowS + QUARANTINE_KEPT_S }),
      put(`evidence#${service}`, `${key}#rollback`, evidence, { expiresAt: nowS + EVIDENCE_KEPT_S }),
    ],
  }));
  const title = `${service} was rolled back (release ${generation})`;
  await sns.send(new PublishCommand({
    TopicArn: TOPIC,
    Subject: title,
    Message: JSON.stringify({
      version: "1.0",
      source: "custom",
      content: {
        textType: "client-markdown",
        title,
        description: why,
        nextSteps: [`ripcord status ${service}`],
      },
      metadata: { threadId: `${service}#${generation}`, eventType: "ripcord" },
    }),
    MessageAttributes: {
      severity: { DataType: "String", StringValue: "warning" },
      service: { DataType: "String", StringValue: service },
    },
  }));
  const told = { ...ended, report: { sent: { at: now } }, seq: ended.seq + 1 };
  await dynamodb.send(new TransactWriteItemsCommand({
    TransactItems: [put(partition, "release", told, { seq: told.seq }), put(`history#${service}`, key, told)],
  }));
  const day = now.toISOString().slice(0, 10).replaceAll("-", "/");
  const { events } = await logs.send(new FilterLogEventsCommand({
    logGroupName: `/aws/lambda/${target.function}`,
    logStreamNamePrefix: `${day}/[${change.candidate}]`,
    filterPattern: LOG_PATTERN,
    startTime: changedAt.getTime() - LOGS_BEFORE_MS,
    endTime: now.getTime(),
    limit: 25,
  }));
  const lines = events.map(({ message }) => message.trimEnd().slice(0, 1000));
  const excerpt = { source: `${target.function}:${change.candidate}`, lines };
  await dynamodb.send(new TransactWriteItemsCommand({
    TransactItems: [
      put(`logs#${service}`, `${key}#${target.function}`, excerpt, { expiresAt: nowS + EVIDENCE_KEPT_S }),
    ],
  }));
  return { course: "restore", service, generation, reason: why };
}

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const asking = request({ host, port, agent, method, path: `/2018-06-01/runtime/invocation/${path}` }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(parts).toString() }));
    });
    asking.on("error", reject);
    asking.end(body);
  });
}

async function main() {
  for (;;) {
    const { headers, body } = await ask("GET", "next");
    const result = await handle(JSON.parse(body));
    await ask("POST", `${headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(result));
  }
}

main();

// @opensearch-project/opensearch 3: npm install @opensearch-project/opensearch.
const { readFileSync } = require("node:fs");$tls
const { Client } = require("@opensearch-project/opensearch");

const client = new Client({
  node: "$url",
  headers: { Authorization: "Bearer $token" },
  ssl: { ca: readFileSync("$ca") },$tls
  maxRetries: 10,
});

/** Send objects that have @timestamp and event.id. */
async function send(events) {
  const body = events.flatMap((event) => [
    { create: { _index: "$source", _id: event.event.id } },
    event,
  ]);
  const { body: answer } = await client.bulk({ body });
  return answer;
}

module.exports = { client, send };

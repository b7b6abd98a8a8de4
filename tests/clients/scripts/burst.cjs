// Either TypeScript SDK: makes many calls at once, and prints what each was told and every error of the client.
const { readFileSync } = require("node:fs");

const order = JSON.parse(readFileSync(process.argv[2], "utf8"));
const got = { told: [], results: 0, errors: [] };

function connection() {
  if (order.sdk === 1) {
    const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
    const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
    return [new Client({ name: "burst", version: "1" }), new StdioClientTransport(order.server)];
  }
  const { Client } = require("@modelcontextprotocol/client");
  const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");
  const versionNegotiation = { mode: order.era };
  return [new Client({ name: "burst", version: "1" }, { versionNegotiation }), new StdioClientTransport(order.server)];
}

async function call(client, number) {
  got.told[number] = 0;
  const options = { onprogress: () => { got.told[number] += 1; } };
  const request = { name: order.tool, arguments: order.arguments };
  const result = await (order.sdk === 1 ? client.callTool(request, undefined, options) : client.callTool(request, options));
  got.results += result.isError ? 0 : 1;
}

async function main() {
  const [client, transport] = connection();
  client.onerror = (error) => got.errors.push(String(error));
  await client.connect(transport);
  await Promise.all(Array.from({ length: order.calls }, (_, number) => call(client, number)));
  await client.close();
  console.log(JSON.stringify(got));
}

main();

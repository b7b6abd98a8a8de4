// The TypeScript SDK 1.x, which most desktop hosts embed. Buys what its order says and prints what it got.
const { readFileSync } = require("node:fs");
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");

const order = JSON.parse(readFileSync(process.argv[2], "utf8"));
const got = { results: [], progress: [], errors: [] };

function transport() {
  if (order.url === undefined) return new StdioClientTransport({ ...order.server, stderr: "ignore" });
  const headers = { Authorization: `Bearer ${order.token}` };
  return new StreamableHTTPClientTransport(new URL(order.url), { requestInit: { headers } });
}

async function main() {
  const client = new Client({ name: "typescript-1", version: "1" });
  client.onerror = (error) => got.errors.push(String(error));
  await client.connect(transport());
  got.tools = (await client.listTools()).tools.length;
  for (const [name, args] of order.calls) {
    const onprogress = (step) => got.progress.push(step.message);
    const result = await client.callTool({ name, arguments: args }, undefined, { onprogress });
    got.results.push(result.structuredContent);
  }
  await client.close();
  console.log(JSON.stringify(got));
}

main();

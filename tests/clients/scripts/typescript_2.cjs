// The TypeScript SDK 2.x, in the era that its order names. Buys what the order says and prints what it got.
const { readFileSync } = require("node:fs");
const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");

const order = JSON.parse(readFileSync(process.argv[2], "utf8"));
const got = { results: [], progress: [], errors: [] };

function transport() {
  if (order.url === undefined) return new StdioClientTransport({ ...order.server, stderr: "ignore" });
  const headers = { Authorization: `Bearer ${order.token}` };
  return new StreamableHTTPClientTransport(new URL(order.url), { requestInit: { headers } });
}

async function main() {
  const versionNegotiation = { mode: order.era };
  const client = new Client({ name: "typescript-2", version: "1" }, { versionNegotiation });
  client.onerror = (error) => got.errors.push(String(error));
  await client.connect(transport());
  got.tools = (await client.listTools()).tools.length;
  for (const [name, args] of order.calls) {
    const onprogress = (step) => got.progress.push(step.message);
    const result = await client.callTool({ name, arguments: args }, { onprogress });
    got.results.push(result.structuredContent);
  }
  await client.close();
  console.log(JSON.stringify(got));
}

main();

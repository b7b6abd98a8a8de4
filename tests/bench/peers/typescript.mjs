// The same twenty-five tools on the TypeScript SDK 1.x, from the node_modules folder that is named.
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const { McpServer } = require("@modelcontextprotocol/sdk/server/mcp.js");
const { StdioServerTransport } = require("@modelcontextprotocol/sdk/server/stdio.js");
const { z } = require("zod");

const server = new McpServer({ name: "typescript", version: "1" });
for (let number = 0; number < 25; number++) {
  server.registerTool(
    `add_${number}`,
    { description: "Add two numbers.", inputSchema: { a: z.number(), b: z.number() }, outputSchema: { total: z.number() } },
    ({ a, b }) => ({ content: [{ type: "text", text: String(a + b) }], structuredContent: { total: a + b } }),
  );
}
await server.connect(new StdioServerTransport());

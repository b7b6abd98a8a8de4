"""The Inspector's `mcpdo`, a connection that many commands share. Buys, notes the links it is given, and prints all."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ORDER = json.loads(Path(sys.argv[1]).read_text("utf-8"))
PROGRAM = Path(os.environ["NODE_PATH"]) / ".bin" / "mcpdo"
got = {"results": [], "progress": [], "errors": [], "links": []}


def main():
    with tempfile.TemporaryDirectory() as folder:
        # A daemon and a catalog of its own.
        os.environ |= {"MCP_INSPECTOR_DAEMON_DIR": folder, "MCP_CATALOG_PATH": f"{folder}/catalog.json"}
        try:
            Path(os.environ["MCP_CATALOG_PATH"]).write_text(json.dumps({"mcpServers": {"firmly": server()}}), "utf-8")
            mcpdo("connect", "firmly", "--era", ORDER["era"], "--connect-timeout", "60000")
            got["tools"] = len(mcpdo("@firmly", "tools/list")["tools"])
            for name, arguments in ORDER["calls"]:
                answer = mcpdo("@firmly", "tools/call", name, json.dumps(arguments))
                got["results"].append(answered(answer)["structuredContent"])
        finally:
            mcpdo("daemon", "stop")
    print(json.dumps(got))


def answered(answer):
    """The final result; a link that the server wants opened is noted, and reported as opened."""
    pending = answer.get("elicitationPending")
    if pending is None:
        return answer.get("result", answer)
    got["links"].append(pending["url"])
    return answered(mcpdo("elicitation/respond", pending["elicitationId"], "--done"))


def mcpdo(*arguments):
    command = [os.environ["NODE"], str(PROGRAM), "--format", "json", *arguments]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(ended.stdout or "{}")


def server():
    if "url" in ORDER:
        headers = {"Authorization": f"Bearer {ORDER['token']}"}
        return {"type": "streamable-http", "url": ORDER["url"], "headers": headers}
    return {"type": "stdio", **ORDER["server"]}


main()

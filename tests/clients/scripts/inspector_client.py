"""The Inspector's `--cli`, which connects anew for every call. Checks the schemas, buys, and prints what it got."""

import json
import os
import subprocess
import sys
from pathlib import Path

ORDER = json.loads(Path(sys.argv[1]).read_text("utf-8"))
PROGRAM = Path(os.environ["NODE_PATH"]) / ".bin" / "mcp-inspector"


def inspect(*arguments):
    options = ["--format", "json", "--quiet", "--connect-timeout", "60000", "--protocol-era", ORDER["era"]]
    command = [os.environ["NODE"], str(PROGRAM), "--cli", *options, *arguments, *target()]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    answer = json.loads(ended.stdout)
    return answer.get("result", answer)


def target():
    if "url" in ORDER:
        return ["--header", f"Authorization: Bearer {ORDER['token']}", "--", ORDER["url"]]
    server = ORDER["server"]
    variables = [word for name, value in server["env"].items() for word in ("-e", f"{name}={value}")]
    return [*variables, "--", server["command"], *server["args"]]


def main():
    got = {"results": [], "progress": [], "errors": []}
    got["tools"] = len(inspect("--method", "tools/list", "--strict")["tools"])
    for name, arguments in ORDER["calls"]:
        call = ["--method", "tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments)]
        got["results"].append(inspect(*call)["structuredContent"])
    print(json.dumps(got))


main()

"""Runs the quick starts of every language against a server of its own and checks what they show.

    quickstarts.py target/release/natter python 'python3 quickstart.py' go 'go run .' …
"""

import json
import shlex
import subprocess
import sys

from natter_client import Broken, expect
from natter_process import running

PATIENCE = 60.0


def shown(command, base):
    """The frames that a quick start prints, in order."""
    done = subprocess.run([*shlex.split(command), base], capture_output=True, text=True, timeout=PATIENCE)
    expect(done.returncode == 0, f"ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(frames):
    """Two sockets: on the first the message is acked and shown, on the second what was missed follows it."""
    types = [frame["type"] for frame in frames]
    expect(types.count("welcome") == 2 and types[0] == "welcome", f"two sockets: {types}")
    second = types.index("welcome", 1)
    first, resumed = frames[1:second], frames[second + 1 :]
    (ack,) = [frame for frame in first if frame["type"] == "ack"]
    (sent,) = [frame for frame in first if frame["type"] == "message:new"]
    expect(sent["seq"] == ack["seq"] and sent["message"]["id"] == ack["messageId"], f"{ack} and {sent}")
    expect(sent["message"]["clientId"] == ack["clientId"], f"{ack} and {sent}")
    # Others' read marks may come in between.
    expect(resumed and resumed[-1]["type"] == "resume:done", f"resumed: {resumed}")
    (missed,) = [frame for frame in resumed if frame["type"] == "message:new"]
    expect(missed["message"]["content"] == "are you there?", f"missed: {missed}")
    expect(missed["prevSeq"] == sent["seq"] < missed["seq"], f"chained: {sent} and {missed}")


def main():
    binary, *quickstarts = sys.argv[1:]
    expect(quickstarts and len(quickstarts) % 2 == 0, "a name and a command each")
    with running(binary) as natter:
        for language, command in zip(quickstarts[::2], quickstarts[1::2]):
            try:
                # Twice: whoever tries it tries it again.
                for _ in range(2):
                    check(shown(command, natter.base))
            except (Broken, subprocess.TimeoutExpired) as broken:
                raise Broken(f"the quick start in {language}: {broken}") from None
            print(f"the quick start in {language} works")
        natter.stop()


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(f"BROKEN: {broken}")

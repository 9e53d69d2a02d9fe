"""A real Chromium without a window, driven over its DevTools protocol."""

import itertools
import json
import shutil
import subprocess
import time

import websocket

NAMES = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"
FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
         "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-port=0").split()


def executable():
    """The path of a Chromium on this machine, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One window with one page. After `visit`, `errors` and `requests` are those of that page.

    folder: an empty one, for its profile. Use as a context manager.
    """

    def __init__(self, folder):
        self.numbers, self.errors, self.requests, self.loaded, self.session = itertools.count(1), [], [], False, {}
        self.process = subprocess.Popen([executable(), *FLAGS, f"--user-data-dir={folder}", "about:blank"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        address = folder / "DevToolsActivePort"
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(f"{executable()} ended with {self.process.returncode}")
            if address.exists() and len(lines := address.read_text().split()) == 2:
                break
            time.sleep(0.1)
        self.socket = websocket.create_connection(f"ws://127.0.0.1:{lines[0]}{lines[1]}", suppress_origin=True,
                                                  timeout=60)
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = {"sessionId": self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in "Page", "Runtime", "Log", "Network":
            self.send(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.send("Browser.close")
        self.process.wait(timeout=60)

    def send(self, method, **parameters):
        """One command; -> its result. Raises RuntimeError where the browser refuses it."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters, **self.session}))
        while (message := self.hear()).get("id") != number:
            pass
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    def hear(self):
        """The next message; what a page reports is kept."""
        message = json.loads(self.socket.recv())
        event, said = message.get("method"), message.get("params", {})
        if event == "Page.loadEventFired":
            self.loaded = True
        elif event == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif (event == "Runtime.exceptionThrown" or event == "Network.loadingFailed"
              or event == "Log.entryAdded" and said["entry"]["level"] == "error"
              or event == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert")):
            self.errors.append(said)
        return message

    def visit(self, url, width=1280, height=900, dark=False):
        """Load a page and wait until it is drawn."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.send("Page.navigate", url="about:blank")
        self.errors, self.requests, self.loaded = [], [], False
        if failed := self.send("Page.navigate", url=url).get("errorText"):
            raise RuntimeError(f"{url}: {failed}")
        while not self.loaded:
            self.hear()
        # what was heard may have been the blank page's event, come late
        self.run("new Promise(there => "
                 "document.readyState === 'complete' ? there() : addEventListener('load', () => there()))")
        self.run("new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn)))")

    def run(self, script):
        """The value of an expression in the page. Raises RuntimeError where it throws."""
        result = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"].get("description", script))
        return result["result"].get("value")

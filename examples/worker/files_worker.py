"""Works jobs of Files Manager in Python. One file, the standard library only, Python 3.9 or later: copy it next to your program.

    from files_worker import Job, Permanent, Worker

    worker = Worker.from_environment()

    @worker.handles("word-count")
    def count(job: Job) -> object:
        with job.open() as content:            # the file that job.data["fileId"] names
            words = len(content.read().split())
        job.log("counted")
        return {"words": words}                # becomes the job's result

    worker.run()                               # until SIGTERM or SIGINT

A handler that raises fails the attempt: the job comes again as its `attempts` and `backoff` say, or at once goes to the dead-letter list if
the exception is `Permanent`. `GiveBack` returns the job as if it had not been begun. A job is delivered at least once, so a handler must bear
to be run twice.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
import os
import random
import shutil
import signal
import socket
import threading
import time
import traceback
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

logger = logging.getLogger("files_worker")

BUSY = (429, 502, 503, 504)  # statuses after which the same request may succeed later
MAX_ERROR_BYTES = 16 * 1024  # longest reason of a failure that the server takes
MOST_CLAIMED = 100  # jobs of one claim


class Permanent(Exception):
    """Raised by a handler: trying again cannot help."""


class GiveBack(Exception):
    """Raised by a handler that ends because `job.stopping`: the job is ready again at once, and the attempt does not count."""


class LeaseLost(Exception):
    """The job was called off, or is somebody else's now. Let it pass: nothing that is said of the job is taken any more."""


class Unreachable(Exception):
    """The server did not answer, or was not able to, for longer than the caller was patient."""


class Refused(Exception):
    """The server says that the request is wrong. `code` is its stable word for the reason."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code = status, code


class Stopped(Exception):
    """The worker ends, so that it is not worth while to go on."""


class Client:
    """Speaks to the API: with a token, or with an address and a password, by which it signs in again whenever it has to."""

    def __init__(self, address: str, token: str = "", email: str = "", password: str = "") -> None:
        url = urlsplit(address)
        if url.scheme not in ("http", "https") or not url.netloc:
            raise ValueError(f"no address of a server: {address!r}")
        self._kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        self._host, self._prefix = url.netloc, url.path.rstrip("/")
        self._token, self._refresh, self._email, self._password = token, "", email, password
        self._signing_in = threading.Lock()
        self.stop = threading.Event()
        self._interruptible: set[HTTPConnection] = set()

    def send(self, method: str, path: str, body: Any = None, fields: Optional[dict[str, str]] = None,
             timeout: float = 30, interruptible: bool = False) -> HTTPResponse:
        """One request over a connection of its own. Adds no credential. The caller reads the answer, or closes it."""
        connection = self._kind(self._host, timeout=timeout)
        try:
            if interruptible:
                connection.connect()
                self._interruptible.add(connection)
                if self.stop.is_set():
                    raise Stopped
            data = None if body is None else json.dumps(body).encode()
            fields = {**(fields or {}), "Connection": "close", **({} if data is None else {"Content-Type": "application/json"})}
            connection.request(method, self._prefix + path, data, fields)
            return connection.getresponse()
        except BaseException:
            connection.close()
            raise
        finally:
            self._interruptible.discard(connection)

    def interrupt(self) -> None:
        """Ends the requests that wait for jobs. We say that no more comes from us, and go on listening: a job that is handed over at
        this very moment still arrives, and is worked."""
        self.stop.set()
        for connection in list(self._interruptible):
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_WR)

    def post(self, path: str, body: Any, patience: float = 60, timeout: float = 30, interruptible: bool = False) -> Any:
        """Posts JSON, and tries again with growing pauses while the server cannot be reached or says that it is not able to."""
        deadline, pause, signed_in = time.monotonic() + patience, 0.5, False
        while True:
            after = 0.0
            try:
                token = self._token or self._sign_in("")
                answer = self.send("POST", path, body, {"Authorization": f"Bearer {token}"}, timeout, interruptible)
                with answer:
                    status, text = answer.status, answer.read()
                if status == 401 and self._email and not signed_in:
                    self._sign_in(token)
                    signed_in = True
                    continue
                if status not in BUSY:
                    return _value(status, text)
                cause: object = f"status {status}"
                seconds = answer.headers.get("Retry-After") or ""
                after = float(seconds) if seconds.isdigit() else 0.0
            except (OSError, HTTPException) as error:
                cause = error
            signed_in = False
            pause = min(2 * pause, 30)
            wait = max(after, pause) * random.uniform(0.5, 1) + after / 2
            if time.monotonic() + wait > deadline:
                raise Unreachable(f"{path}: {cause}")
            logger.warning("%s: %s; again in %.1f s", path, cause, wait)
            if interruptible and self.stop.wait(wait):
                raise Stopped
            if not interruptible:
                time.sleep(wait)

    def _sign_in(self, worn_out: str) -> str:
        """A token that is not this one. Those of a session live for minutes and are renewed; a lease is of the account, and survives that."""
        with self._signing_in:
            if self._token == worn_out:
                login = None
                if self._refresh:
                    with contextlib.suppress(Refused):
                        login = self._exchange("/api/v1/auth/refresh", {"refreshToken": self._refresh})
                if login is None:
                    login = self._exchange("/api/v1/auth/login", {"email": self._email, "password": self._password})
                self._token, self._refresh = login["accessToken"], login["refreshToken"]
            return self._token

    def _exchange(self, path: str, body: Any) -> Any:
        with self.send("POST", path, body) as answer:
            if answer.status in BUSY:
                raise OSError(f"status {answer.status}")
            return _value(answer.status, answer.read())


def _value(status: int, text: bytes) -> Any:
    if status < 300:
        return json.loads(text) if text else None
    try:
        problem = json.loads(text)
    except ValueError:
        problem = {}
    raise Refused(status, problem.get("code", ""), problem.get("detail", ""))


class Job:
    """A job that this program holds. All methods may be called from any thread; those that report raise `LeaseLost`."""

    def __init__(self, client: Client, claim: dict[str, Any]) -> None:
        self._client, self.lease, self._content = client, claim["lease"], claim["contentUrl"]
        self.whole: dict[str, Any] = claim["job"]  # all that the server says of it
        self.id: str = self.whole["id"]
        self.type: str = self.whole["type"]
        self.data: Any = self.whole["data"]
        self.attempt: int = self.whole["attempts"]["made"]
        self.lost = threading.Event()  # set once the lease is known to be lost: long computations may look

    @property
    def stopping(self) -> bool:
        """Whether the program was asked to stop. A handler may go on to its end if that is near, or raise `GiveBack`."""
        return self._client.stop.is_set()

    def progress(self, percent: int, data: Any = None) -> None:
        """Says how far the job is, 0 to 100, and renews its time to live. `data` (up to 256 KiB) is there for the next attempt, too, as
        `job.whole["progressData"]`. One request each: call it about once a second, not once a line."""
        self.report("progress", progress=percent, data=data)

    def log(self, line: str) -> None:
        """Adds a line to the job's log, which keeps its last 1,000."""
        self.report("log", line=line)

    def report(self, what: str, patience: float = 60, **body: Any) -> Any:
        """Reports something under the lease. One answer that never comes leaves time for a second try within `patience`."""
        try:
            timeout = min(30, patience / 2)
            return self._client.post(f"/api/v1/jobs/{self.id}/{what}", {"lease": self.lease, **body}, patience, timeout)
        except Refused as error:
            if error.code != "lease_lost":
                raise
            self.lost.set()
            raise LeaseLost(self.id) from error

    def open(self, start: int = 0, etag: str = "") -> HTTPResponse:
        """The content of the file that the job is about, from byte `start` on, as a stream (`read`, `with`, `headers`). The address that came with
        the job is good for an hour and needs no credential."""
        if self._content is None:
            raise Permanent("the job names no file (data.fileId)")
        fields = {"Range": f"bytes={start}-", "If-Match": etag} if start else {}
        answer = self._client.send("GET", self._content, fields=fields)
        if answer.status in (200, 206):
            return answer
        with answer:
            if answer.status in BUSY:
                raise OSError(f"the content cannot be had now: status {answer.status}")
            # it is gone, was replaced, or is not this person's: no other attempt finds it
            raise Permanent(f"the content cannot be had: status {answer.status}")

    def download(self, path: str, tries: int = 5) -> None:
        """Writes the content into a file, goes on where a connection broke, and checks the digest."""
        etag, digest = "", ""
        with open(path, "w+b") as file:
            for last in (number == tries for number in range(1, tries + 1)):
                try:
                    with self.open(file.tell(), etag) as answer:
                        etag = answer.headers["ETag"]
                        digest = answer.headers.get("Repr-Digest", "")
                        shutil.copyfileobj(answer, file)
                        if answer.length:
                            raise OSError("the content broke off")
                    break
                except (OSError, HTTPException):
                    if last:
                        raise
                    time.sleep(random.uniform(0.5, 2))
            file.seek(0)
            found = hashlib.sha256()
            for piece in iter(lambda: file.read(1 << 20), b""):
                found.update(piece)
        if digest and digest != f"sha-256=:{base64.b64encode(found.digest()).decode()}:":
            raise OSError("the content arrived damaged")


Handler = Callable[[Job], Any]


class Handed:
    """A result that goes along with the next claim; `outcome` is empty where it has to be reported by itself."""

    def __init__(self, job: Job, result: Any) -> None:
        self.job, self.result, self.outcome = job, result, ""
        self.answered = threading.Event()


class Worker:
    """Claims jobs of the types that it has handlers for, and works up to `concurrency` of them at once, each in a thread. One request at a time
    asks for as many as there are places: an account has only so many that may wait. Unless it waits, it takes along the results that there are."""

    def __init__(self, client: Client, name: str = "", concurrency: int = 1, lease: float = 30, wait: float = 20, grace: float = 8) -> None:
        """`lease`: for how many seconds the server waits for a sign of life before it gives a job to somebody else; one is sent three times as
        often. `wait`: for how long one request waits for a job; less than what proxies allow. `grace`: for how many seconds jobs at hand may go
        on after SIGTERM before they are given back; less than what stops the program hard (containers have ten seconds)."""
        self.client, self.concurrency, self.lease, self.wait, self.grace = client, concurrency, lease, wait, grace
        self.name = name or f"{socket.gethostname()}-{os.getpid()}"
        self._handlers: dict[str, Handler] = {}
        self._error: Optional[BaseException] = None
        self._asked = False
        self._at_hand: set[Job] = set()
        self._in_places: set[Job] = set()
        self._places = threading.Condition()
        self._free = concurrency
        self._gathers = False  # whether results are handed over, since a call will soon take them along
        self._handed: list[Handed] = []
        self._threads: list[threading.Thread] = []

    @classmethod
    def from_environment(cls, **options: Any) -> Worker:
        """By FILES_MANAGER_URL, and FILES_MANAGER_TOKEN or FILES_MANAGER_EMAIL with FILES_MANAGER_PASSWORD."""
        value = {name: os.environ.get(f"FILES_MANAGER_{name}", "") for name in ("URL", "TOKEN", "EMAIL", "PASSWORD")}
        if not value["TOKEN"] and not (value["EMAIL"] and value["PASSWORD"]):
            raise SystemExit("set FILES_MANAGER_URL, and FILES_MANAGER_TOKEN or FILES_MANAGER_EMAIL and FILES_MANAGER_PASSWORD")
        client = Client(value["URL"] or "http://127.0.0.1:8080", value["TOKEN"], value["EMAIL"], value["PASSWORD"])
        return cls(client, **options)

    def handles(self, kind: str) -> Callable[[Handler], Handler]:
        """Decorates what works jobs of a type. What it returns becomes the job's result (JSON, up to 256 KiB)."""

        def register(handler: Handler) -> Handler:
            self._handlers[kind] = handler
            return handler

        return register

    def run(self) -> None:
        """Works until SIGTERM or SIGINT; then the jobs at hand have `grace` seconds to end, and what has not is given back, which costs them no
        attempt. A second signal ends it at once. To be called in the main thread, which should end the program afterwards: a handler whose job
        was given back may still run. What is killed loses nothing: its leases end, and its jobs go on elsewhere, one attempt poorer.

        Raises `Refused` when the server does not let this account work jobs."""
        before = {number: signal.signal(number, self._asked_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        claiming = threading.Thread(target=self._loop, daemon=True)
        claiming.start()
        while not self._asked and not self.client.stop.wait(0.2):
            pass
        self.client.interrupt()
        deadline = time.monotonic() + self.grace
        while claiming.is_alive() and time.monotonic() < deadline:  # in turns, so that a second signal is heard
            claiming.join(0.2)
        for thread in list(self._threads):
            while thread.is_alive() and time.monotonic() < deadline:
                thread.join(0.2)
        for job in list(self._at_hand):
            self._give_back(job)
        for number, handler in before.items():
            signal.signal(number, handler)
        if self._error is not None:
            raise self._error

    def _asked_to_stop(self, number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        self._asked = True  # no more than that: the interrupted code may hold any lock

    def _stopping(self) -> bool:
        return self._asked or self.client.stop.is_set()

    def _loop(self) -> None:
        asked = {"types": list(self._handlers), "workerId": self.name, "leaseMs": int(1000 * self.lease)}
        try:
            while (free := self._free_places()) and not self._stopping():
                claim = {**asked, "max": min(free, MOST_CLAIMED)}
                handed = self._take_handed()
                for job in self._turn_over(handed, claim) if handed else self._wait_for_jobs(claim):
                    if self._stopping():
                        self._give_back(job)
                    else:
                        self._begin(job)
        except Stopped:
            pass
        except BaseException as error:
            self._fall_over(error)
        finally:
            for handed in self._take_handed():
                handed.answered.set()

    def _wait_for_jobs(self, claim: dict[str, Any]) -> list[Job]:
        body = {**claim, "waitMs": int(1000 * self.wait)}
        claimed = self.client.post("/api/v1/jobs/claim", body, float("inf"), self.wait + 30, interruptible=True)
        with self._places:
            self._gathers = True  # these jobs may end before the next call is made
        return [Job(self.client, claim) for claim in claimed["items"]]

    def _turn_over(self, handed: list[Handed], claim: dict[str, Any]) -> list[Job]:
        """Reports results and claims the next jobs in one call."""
        results = [{"id": one.job.id, "lease": one.job.lease, "result": one.result} for one in handed]
        try:
            answer = self.client.post("/api/v1/jobs/results", {"results": results, "claim": claim})
            for one, item in zip(handed, answer["items"]):
                one.outcome = item["outcome"]
            return [Job(self.client, claim) for claim in answer["claimed"]["items"]]
        except (Refused, Unreachable) as error:
            # one that is too large spoils it for all; each is told by itself what is the matter with it
            logger.warning("%d results were not taken together: %s", len(handed), error)
            return []
        finally:
            for one in handed:
                one.answered.set()

    def _take_handed(self) -> list[Handed]:
        """Results for the next call. If there are none that call waits, and those that come meanwhile are reported by themselves."""
        with self._places:
            handed, self._handed = self._handed, []
            self._gathers = bool(handed) and not self._stopping()
            return handed

    def _free_places(self) -> int:
        """How many jobs can be begun, as soon as there is room for one; 0 when the worker stops."""
        with self._places:
            while not self._free and not self._stopping():
                self._places.wait(0.2)
            return self._free

    def _begin(self, job: Job) -> None:
        thread = threading.Thread(target=self._in_place, args=(job,), daemon=True)
        with self._places:
            self._free -= 1
            self._in_places.add(job)
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
            thread.start()

    def _in_place(self, job: Job) -> None:
        try:
            self._work(job)
        except BaseException as error:
            self._fall_over(error)
        finally:
            self._leave(job)

    def _leave(self, job: Job) -> None:
        """Its place is free, if it was not before."""
        with self._places:
            if job in self._in_places:
                self._in_places.remove(job)
                self._free += 1
                self._places.notify()

    def _fall_over(self, error: BaseException) -> None:
        self._error = error
        self.client.stop.set()

    def _work(self, job: Job) -> None:
        done = threading.Event()
        self._at_hand.add(job)
        threading.Thread(target=self._beat, args=(job, done), daemon=True).start()
        try:
            self._complete(job, self._handlers[job.type](job))
            logger.info("job %s is complete", job.id)
        except GiveBack:
            self._give_back(job)
        except (LeaseLost, Unreachable) as error:
            # also where the answer was lost that the result is taken, and it was sent again
            logger.warning("job %s is not ours any more: %r", job.id, error)
        except Exception as error:
            logger.warning("job %s failed in attempt %d", job.id, job.attempt, exc_info=True)
            self._fail(job, error)
        finally:
            done.set()
            self._at_hand.discard(job)

    def _complete(self, job: Job, result: Any) -> None:
        json.dumps(result)  # one that cannot be said is this job's own failure
        handed = Handed(job, result)
        with self._places:
            gathers = self._gathers and not self._stopping()
            if gathers:
                self._handed.append(handed)
        if gathers:
            self._leave(job)
            while not handed.answered.wait(0.2):
                with self._places:
                    if self._stopping() and handed in self._handed:
                        self._handed.remove(handed)  # nobody takes it along any more
                        break
        if handed.outcome == "lost":
            job.lost.set()
            raise LeaseLost(job.id)
        if handed.outcome != "complete":
            job.report("complete", result=result)

    def _give_back(self, job: Job) -> None:
        try:
            job.report("return", patience=2)
            job.lost.set()  # its handler may still run
            logger.info("job %s is given back", job.id)
        except (LeaseLost, Unreachable, Refused) as problem:
            # it has ended meanwhile, or comes free when its lease ends
            logger.warning("job %s was not given back: %r", job.id, problem)

    def _fail(self, job: Job, error: Exception) -> None:
        permanent = isinstance(error, Permanent)
        text = str(error) or repr(error)
        if not permanent:
            # the first line is for the job's owner, the rest for administrators: of a long stack its end
            head = f"{type(error).__name__}: {text}"[:MAX_ERROR_BYTES // 16].encode() + b"\n\n"
            text = (head + traceback.format_exc().encode()[len(head) - MAX_ERROR_BYTES:]).decode(errors="ignore")
        text = text.encode()[:MAX_ERROR_BYTES].decode(errors="ignore")
        try:
            job.report("fail", error=text, retryable=not permanent)
        except (LeaseLost, Unreachable, Refused) as problem:
            logger.warning("job %s: its failure was not taken: %r", job.id, problem)

    def _beat(self, job: Job, done: threading.Event) -> None:
        while not done.wait(self.lease / 3):
            try:
                job.report("heartbeat", patience=self.lease / 3, leaseMs=int(1000 * self.lease))
            except LeaseLost:
                return
            except (Unreachable, Refused) as error:
                logger.warning("job %s: no sign of life was taken: %s", job.id, error)

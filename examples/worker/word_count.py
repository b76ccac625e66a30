"""Counts the words of text files: a worker for jobs of the type `word-count` with `data.fileId`."""

import collections
import logging
import re
import time

from files_worker import Job, Permanent, Worker

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
TEXTS = ("text/", "application/json", "application/xml")

worker = Worker.from_environment(concurrency=2)


@worker.handles("word-count")
def count(job: Job) -> object:
    words: "collections.Counter[str]" = collections.Counter()
    lines = size = 0
    told = time.monotonic()
    with job.open() as content:
        kind = content.headers.get_content_type()
        if not kind.startswith(TEXTS):
            raise Permanent(f"this is no text, but {kind}")
        whole = int(content.headers["Content-Length"])
        charset = content.headers.get_content_charset("utf-8")
        job.log(f"{whole} bytes of {kind}, {charset}")
        for line in content:
            size += len(line)
            lines += 1
            try:
                words.update(WORD.findall(line.decode(charset).lower()))
            except UnicodeDecodeError as error:
                raise Permanent(f"line {lines} is not {charset}") from error
            if time.monotonic() - told > 1:
                told = time.monotonic()
                job.progress(100 * size // whole, {"lines": lines})
    if size != whole:
        raise OSError("the content broke off")  # another attempt may have more luck
    return {"lines": lines, "words": sum(words.values()), "different": len(words), "common": words.most_common(10)}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    worker.run()

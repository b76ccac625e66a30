"""tuspy against a running product: FM_E2E_ADDRESS, and FM_E2E_TOKEN of somebody."""

import hashlib
import io
import json
import os
import tempfile
import unittest
import urllib.request

from tusclient import client
from tusclient.storage import filestorage

ADDRESS = os.environ["FM_E2E_ADDRESS"]
HEADERS = {"Authorization": "Bearer " + os.environ["FM_E2E_TOKEN"]}


def get(path):
    with urllib.request.urlopen(urllib.request.Request(ADDRESS + path, headers=HEADERS)) as answer:
        return json.load(answer)


def tus():
    return client.TusClient(ADDRESS + "/api/v1/uploads", headers=HEADERS)


class Uploads(unittest.TestCase):
    def assert_file(self, url, content, name):
        upload = get("/api/v1/uploads/" + url.rsplit("/", 1)[-1])
        file = get("/api/v1/files/" + upload["fileId"])
        self.assertEqual((file["name"], file["sha256"]), (name, hashlib.sha256(content).hexdigest()))

    def test_a_file_goes_up_in_pieces_with_their_checksums(self):
        content = os.urandom(5_000_003)
        uploader = tus().uploader(
            file_stream=io.BytesIO(content),
            chunk_size=1_000_000,
            metadata={"filename": "pieces ä.bin"},
            upload_checksum=True,
        )
        uploader.upload()
        self.assert_file(uploader.url, content, "pieces ä.bin")

    def test_an_upload_that_was_broken_off_goes_on_where_it_stands(self):
        content = os.urandom(6_000_000)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "resumed.bin")
            with open(path, "wb") as file:
                file.write(content)
            urls = filestorage.FileStorage(os.path.join(folder, "urls.json"))

            def uploader():
                return tus().uploader(
                    path,
                    chunk_size=1_000_000,
                    metadata={"filename": "resumed.bin"},
                    store_url=True,
                    url_storage=urls,
                    retries=3,
                    retry_delay=1,
                )

            first = uploader()
            first.upload(stop_at=2_000_000)
            second = uploader()
            self.assertEqual((second.url, second.offset), (first.url, 2_000_000))
            second.upload()
            self.assert_file(second.url, content, "resumed.bin")
            urls.close()

    def test_an_empty_file_is_one(self):
        uploader = tus().uploader(file_stream=io.BytesIO(b""), metadata={"filename": "empty.bin"})
        uploader.upload()
        self.assert_file(uploader.url, b"", "empty.bin")


if __name__ == "__main__":
    unittest.main()

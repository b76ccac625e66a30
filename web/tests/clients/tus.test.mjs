// tus-js-client against a running product: FM_E2E_ADDRESS, and FM_E2E_TOKEN of somebody.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Upload } from 'tus-js-client';

const address = process.env.FM_E2E_ADDRESS;
const headers = { Authorization: `Bearer ${process.env.FM_E2E_TOKEN}` };

/** Uploads to the end; the last answer. */
function finished(content, options) {
  return new Promise((resolve, reject) => {
    const upload = new Upload(content, {
      endpoint: `${address}/api/v1/uploads`,
      headers,
      retryDelays: [0, 100, 500],
      onError: reject,
      onSuccess: ({ lastResponse }) => resolve({ upload, last: lastResponse }),
      ...options,
    });
    upload.start();
  });
}

async function assertFile(id, content, name) {
  const file = await (await fetch(`${address}/api/v1/files/${id}`, { headers })).json();
  assert.equal(file.name, name);
  assert.equal(file.sha256, createHash('sha256').update(content).digest('hex'));
}

/** The file that an upload has become; the last answer to a part is that of another upload. */
async function fileOf(upload) {
  const id = upload.url.split('/').at(-1);
  for (;;) {
    const shown = await (await fetch(`${address}/api/v1/uploads/${id}`, { headers })).json();
    if (shown.fileId) return shown.fileId;
  }
}

test('a file goes up whole', async () => {
  const content = randomBytes(3_000_000);
  const { last } = await finished(content, { metadata: { filename: 'whole ä.bin' } });
  await assertFile(last.getHeader('File-Id'), content, 'whole ä.bin');
});

test('a file goes up in pieces, the first with the creation', async () => {
  const content = randomBytes(1_000_001);
  const { last } = await finished(content, {
    metadata: { filename: 'pieces.bin' },
    chunkSize: 300_000,
    uploadDataDuringCreation: true,
  });
  await assertFile(last.getHeader('File-Id'), content, 'pieces.bin');
});

test('a file whose length is not known at the start goes up', async () => {
  const { Readable } = await import('node:stream');
  const content = randomBytes(1_000_001);
  const { last } = await finished(Readable.from([content]), {
    metadata: { filename: 'deferred.bin' },
    chunkSize: 400_000,
    uploadLengthDeferred: true,
  });
  await assertFile(last.getHeader('File-Id'), content, 'deferred.bin');
});

test('an upload is broken off and goes on', async () => {
  const content = randomBytes(40_000_000);
  const url = await new Promise((resolve, reject) => {
    const upload = new Upload(content, {
      endpoint: `${address}/api/v1/uploads`,
      headers,
      metadata: { filename: 'resumed.bin' },
      onError: reject,
      onSuccess: () => reject(new Error('it came to its end')),
      // A whole body may be on its way before the client tells of progress.
      chunkSize: 4_000_000,
      onChunkComplete: (_size, accepted) => {
        if (accepted !== 8_000_000) return;
        upload.abort().then(() => resolve(upload.url), reject);
      },
    });
    upload.start();
  });
  const stands = await fetch(url, { method: 'HEAD', headers: { ...headers, 'Tus-Resumable': '1.0.0' } });
  assert.equal(stands.status, 200);
  assert.ok(Number(stands.headers.get('Upload-Offset')) < content.length);
  const { last } = await finished(content, { uploadUrl: url });
  await assertFile(last.getHeader('File-Id'), content, 'resumed.bin');
});

test('parts go up side by side', async () => {
  const content = randomBytes(9_000_000);
  const { upload } = await finished(content, {
    metadata: { filename: 'parallel.bin' },
    parallelUploads: 3,
  });
  await assertFile(await fileOf(upload), content, 'parallel.bin');
});

test('an upload is terminated', async () => {
  const content = randomBytes(20_000_000);
  const url = await new Promise((resolve, reject) => {
    const upload = new Upload(content, {
      endpoint: `${address}/api/v1/uploads`,
      headers,
      metadata: { filename: 'terminated.bin' },
      onError: reject,
      onProgress: (sent) => {
        if (sent < 1_000_000) return;
        const { url } = upload;
        upload.abort(true).then(() => resolve(url), reject);
      },
    });
    upload.start();
  });
  const gone = await fetch(url, { method: 'HEAD', headers: { ...headers, 'Tus-Resumable': '1.0.0' } });
  assert.equal(gone.status, 404);
});

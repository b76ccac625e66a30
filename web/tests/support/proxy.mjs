// A line to the product that can be slow, be cut, and be away: what a network does, at the moment that a journey wants.
import { connect, createServer } from 'node:net';
import { address } from './browser.mjs';

export async function line() {
  const { hostname, port } = new URL(address);
  const sockets = new Set();
  let away = false;
  let sent = 0;
  /** Bytes to the product after which something is done, once. */
  let mark = null;

  const server = createServer((near) => {
    if (away) {
      near.destroy();
      return;
    }
    const far = connect({ host: hostname, port: Number(port) });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    far.pipe(near);
    near.on('data', (bytes) => {
      sent += bytes.length;
      if (mark && sent > mark.at) {
        const { reached } = mark;
        mark = null;
        reached();
      }
      if (stopped) {
        near.pause();
        held.push(() => {
          far.write(bytes);
          near.resume();
        });
        return;
      }
      if (!far.write(bytes)) {
        near.pause();
        far.once('drain', () => near.resume());
      }
    });
  });
  let stopped = false;
  let held = [];

  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  /** Resolves when so many more bytes have gone to the product. */
  const after = (bytes) =>
    new Promise((resolve) => {
      mark = { at: sent + bytes, reached: resolve };
    });

  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    /** Cuts every connection when so many more bytes have gone to the product. */
    cutAfter: (bytes) => after(bytes).then(cut),
    /** Lets nothing more through to the product after so many bytes, and says when that is so. */
    stopAfter: (bytes) =>
      after(bytes).then(() => {
        stopped = true;
      }),
    goOn() {
      stopped = false;
      for (const one of held) one();
      held = [];
    },
    /** Cuts every connection, and takes none until `back`. */
    leave() {
      away = true;
      cut();
    },
    back() {
      away = false;
    },
    end() {
      cut();
      server.close();
    },
  };
}

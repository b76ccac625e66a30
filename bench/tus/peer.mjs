// A server of resumable uploads that `cargo xtask bench k` measures beside the product: node peer.mjs <folder> <host> <port>
// As it comes: without authentication, with its store of files.

import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const [directory, host, port] = process.argv.slice(2);
const server = new Server({ path: '/files', datastore: new FileStore({ directory }) });
server.listen({ host, port: Number(port) });

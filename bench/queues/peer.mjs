// A queue of jobs that `cargo xtask bench jobs` measures beside the product: node peer.mjs bullmq|kue <host> <port>
// Takes orders as lines of JSON on standard input, one after another, and answers each by a line; ends with its input.

import { createInterface } from 'node:readline';

const [library, host, port] = process.argv.slice(2);
const connection = { host, port: Number(port) };

/** Does `step` for 0, 1, … below `count`, so many at a time. */
async function inFlight(count, width, step) {
    let next = 0;
    const lane = async () => {
        while (next < count) await step(next++);
    };
    await Promise.all(Array.from({ length: width }, lane));
}

/** How long `work` takes, in seconds. */
async function timed(work) {
    const began = performance.now();
    await work();
    return { seconds: (performance.now() - began) / 1000 };
}

/** Calls `add` at an even pace; `heard` is told the number of each job when its handler starts. The milliseconds of each. */
function paced(count, perSecond, add, subscribe) {
    return new Promise((resolve, reject) => {
        const called = [];
        const millis = [];
        subscribe((n) => {
            millis.push(performance.now() - called[n]);
            if (millis.length === count) resolve({ millis });
        });
        const timer = setInterval(() => {
            const n = called.length;
            if (n === count) return clearInterval(timer);
            called.push(performance.now());
            add(n).catch(reject);
        }, 1000 / perSecond);
    });
}

async function bullmq() {
    const { Queue, Worker } = await import('bullmq');
    const queues = new Map();
    const queueOf = (name) => {
        if (!queues.has(name)) queues.set(name, new Queue(name, { connection }));
        return queues.get(name);
    };
    return {
        async add({ queue: name, count, width }) {
            const queue = queueOf(name);
            await queue.waitUntilReady();
            return timed(() => inFlight(count, width, () => queue.add('noop', {})));
        },
        async addBulk({ queue: name, count, width, size }) {
            const queue = queueOf(name);
            await queue.waitUntilReady();
            const jobs = Array.from({ length: size }, () => ({ name: 'noop', data: {} }));
            return timed(() => inFlight(count / size, width, () => queue.addBulk(jobs)));
        },
        async work({ queue: name, count, concurrency }) {
            let left = count;
            const worker = new Worker(name, async () => {}, { connection, concurrency, autorun: false });
            await worker.waitUntilReady();
            const taken = await timed(
                () =>
                    new Promise((resolve, reject) => {
                        worker.on('completed', () => {
                            left -= 1;
                            if (left === 0) resolve();
                        });
                        worker.on('error', reject);
                        worker.run().catch(reject);
                    }),
            );
            await worker.close();
            return taken;
        },
        async pickUp({ queue: name, count, perSecond }) {
            const queue = queueOf(name);
            await queue.waitUntilReady();
            let heard;
            const worker = new Worker(name, async (job) => heard(job.data.n), { connection });
            await worker.waitUntilReady();
            const add = (n) => queue.add('noop', { n });
            const taken = await paced(count, perSecond, add, (listener) => {
                heard = listener;
            });
            await worker.close();
            return taken;
        },
    };
}

async function kue() {
    const { default: library } = await import('kue');
    // as its manual advises for many jobs: nobody listens to single ones
    const queue = library.createQueue({ redis: connection, jobEvents: false });
    queue.on('error', (error) => console.error(error));
    const add = (type, data) =>
        new Promise((resolve, reject) => {
            queue.create(type, data).save((error) => (error ? reject(error) : resolve()));
        });
    const completeCount = (type) =>
        new Promise((resolve, reject) => {
            queue.completeCount(type, (error, total) => (error ? reject(error) : resolve(total)));
        });
    return {
        add: ({ queue: type, count, width }) => timed(() => inFlight(count, width, () => add(type, {}))),
        work: ({ queue: type, count, concurrency }) =>
            timed(async () => {
                queue.process(type, concurrency, (_job, done) => done());
                while ((await completeCount(type)) < count) {
                    await new Promise((resolve) => setTimeout(resolve, 10));
                }
            }),
        pickUp: ({ queue: type, count, perSecond }) =>
            paced(
                count,
                perSecond,
                (n) => add(type, { n }),
                (listener) => {
                    queue.process(type, (job, done) => {
                        listener(job.data.n);
                        done();
                    });
                },
            ),
    };
}

const orders = await { bullmq, kue }[library]();
for await (const line of createInterface({ input: process.stdin })) {
    const { order, ...rest } = JSON.parse(line);
    console.log(JSON.stringify(await orders[order](rest)));
}
process.exit(0);

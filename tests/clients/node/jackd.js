// SPDX-License-Identifier: MIT
// A session of the client jackd with hilerad, on the port that is the argument.
'use strict';

const Jackd = require('jackd').default || require('jackd');
const { refused, run, same } = require('./checks');

async function opened(port) {
    const client = new Jackd();
    await client.connect({ host: '127.0.0.1', port });
    return client;
}

// The value of a key in a YAML answer, without quotes.
function value(yaml, key) {
    const found = new RegExp(`^${key}: "?([^"\\n]*)"?$`, 'm').exec(yaml.toString());
    return found ? found[1] : null;
}

run(async (port) => {
    const producer = await opened(port), worker = await opened(port);
    same('use', await producer.use('jackd'), 'jackd');
    same('list-tube-used', await producer.getCurrentTube(), 'jackd');
    same('watch', await worker.watch('jackd'), 2);
    same('ignore', await worker.ignore('default'), 1);
    await refused('ignore of the last one', worker.ignore('jackd'), /NOT_IGNORED/);

    const low = await producer.put('low', { priority: 9, ttr: 100 });
    const high = await producer.put('h\r\nigh\u0000é', { priority: 1, ttr: 100 });
    const late = await producer.put({ some: 'object' }, { delay: 1000, ttr: 100 });
    let job = await worker.reserve();
    same('the better priority first', job.id, high);
    same('its bytes', job.payload.toString(), 'h\r\nigh\u0000é');
    await worker.touch(high);
    await worker.release(high, { priority: 2, delay: 0 });
    job = await worker.reserveWithTimeout(0);
    same('released, and first again', job.id, high);
    same('stats-job', value(await producer.statsJob(high), 'releases'), '1');
    same('stats-job: state', value(await producer.statsJob(high), 'state'), 'reserved');
    same('stats-job: tube', value(await producer.statsJob(high), 'tube'), 'jackd');
    await worker.delete(high);
    await refused('deleted is gone', producer.peek(high), /NOT_FOUND/);

    job = await worker.reserveJob(Number(low));
    same('reserve-job', job.id, low);
    await worker.bury(low, 5);
    same('peek-buried', (await producer.peekBuried()).id, low);
    same('peek-delayed', (await producer.peekDelayed()).payload.toString(), '{"some":"object"}');
    await refused('peek-ready', producer.peekReady(), /NOT_FOUND/);
    same('kick takes the buried one', await producer.kick(10), 1);
    await producer.kickJob(late);
    same('stats-tube', value(await producer.statsTube('jackd'), 'current-jobs-ready'), '2');
    same('peek', (await producer.peek(low)).payload.toString(), 'low');

    // Not pauseTube: jackd 2.2.2 sends that command without a line end, to any server.
    // Nor several reserves at once: it takes two answers that arrive together for one body.
    same('by priority', (await worker.reserve()).id, late);
    same('then the other', (await worker.reserve()).id, low);
    const waiting = worker.reserve();
    const next = await producer.put('next', { ttr: 100 });
    same('a waiting reserve gets the next put', (await waiting).id, next);
    for (const id of [low, late, next])
        await worker.delete(id);

    const big = 'x'.repeat(60000);
    await producer.put(big, { ttr: 100 });
    job = await worker.reserve();
    same('a large body', job.payload.toString() === big, true);
    await worker.quit();
    same('disconnected, and ready again', (await producer.peekReady()).id, job.id);
    await producer.delete(job.id);
    same('stats', value(await producer.stats(), 'current-jobs-ready'), '0');
    same('list-tubes', (await producer.listTubes()).toString(), '---\n- default\n- jackd\n');
    await producer.quit();
});

// SPDX-License-Identifier: MIT
// A session of the client node-beanstalk with hilerad, on the port that is the argument.
'use strict';

const { Client } = require('node-beanstalk');
const { refused, run, same } = require('./checks');

async function opened(port) {
    const client = new Client({ host: '127.0.0.1', port });
    await client.connect();
    return client;
}

run(async (port) => {
    const producer = await opened(port), worker = await opened(port);
    same('use', await producer.use('node'), 'node');
    same('list-tube-used', await producer.listTubeUsed(), 'node');
    same('watch', await worker.watch('node'), 2);
    same('ignore', await worker.ignore('default'), true);
    same('ignore of the last one', await worker.ignore('node'), false);
    same('list-tubes-watched', await worker.listTubesWatched(), ['node']);

    const low = await producer.put({ n: 1 }, 100, 9), high = await producer.put([2, 'é'], 100, 1);
    same('put', [low.state, high.id - low.id], ['ready', 1]);
    const late = await producer.put('late', 100, 5, 1000);
    let job = await worker.reserve();
    same('the better priority first', job, { id: high.id, payload: [2, 'é'] });
    same('touch', await worker.touch(high.id), true);
    same('release', await worker.release(high.id, 2), 'ready');
    job = await worker.reserveWithTimeout(0);
    same('released, and first again', job.id, high.id);
    same('release with a delay', await worker.release(high.id, 2, 500), 'delayed');
    same('peek-delayed', (await producer.peekDelayed()).id, high.id);
    const stats = await producer.statsJob(high.id);
    same('stats-job', [stats.id, stats.tube, stats.state, stats.pri, stats.delay, stats.ttr, stats.releases],
        [high.id, 'node', 'delayed', 2, 500, 100, 2]);
    same('delete', await producer.delete(high.id), true);
    same('deleted is gone', await producer.delete(high.id), false);
    same('stats-job of what is gone', await producer.statsJob(high.id), null);

    same('reserve-job', await worker.reserveJob(low.id), { id: low.id, payload: { n: 1 } });
    same('bury', await worker.bury(low.id, 7), true);
    same('peek-buried', (await producer.peekBuried()).id, low.id);
    same('peek-ready', await producer.peekReady(), null);
    same('kick', await producer.kick(5), 1);
    same('kick-job', await producer.kickJob(late.id), true);
    same('peek', (await producer.peek(late.id)).payload, 'late');
    const tube = await producer.statsTube('node');
    same('stats-tube', [tube.name, tube['current-jobs-ready'], tube['total-jobs'], tube['current-watching']], ['node', 2, 3, 1]);

    same('pause-tube', await producer.pauseTube('node', 1000), true);
    same('paused', await worker.reserveWithTimeout(0), null);
    same('resumed', await producer.pauseTube('node', 0), true);
    same('by priority', (await worker.reserve()).id, late.id);
    same('then the other', (await worker.reserve()).id, low.id);
    const waiting = worker.reserve();
    const next = await producer.put('next');
    same('a waiting reserve gets the next put', (await waiting).id, next.id);
    for (const id of [low.id, late.id, next.id])
        same('delete what is reserved', await worker.delete(id), true);
    await refused('a bad name', producer.use('-bad'), /./);
    const all = await producer.stats();
    same('stats', [all['current-jobs-ready'], all['current-jobs-reserved'], all['max-job-size'], all.draining], [0, 0, 65535, false]);
    same('list-tubes', (await producer.listTubes()).includes('node'), true);
    await worker.disconnect();
    await producer.disconnect();
});

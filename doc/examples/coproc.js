#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// A helper for hilerad's handler coproc: change work() and name this file in hilerad.conf.
//
//     pool "reverse" { tubes = {"reverse"} handler = coproc argv = {"node", "/path/coproc.js"} }
//
// What takes long (modules, connections) belongs to the top, before the word "ready" is said.
// console.error stands with the job's stderr; console.log would get between the answers.
'use strict';

// The result, a Buffer or a string; may be async. What it throws: the job has failed, or if the
// error has a number `retrySeconds`, it is to run again so much later.
async function work(job) {
    job.progress(50, 'reversing');
    const text = job.body.toString();
    if (text === '') throw new Error('there is nothing in it');
    job.log(`attempt ${job.attempt} in ${job.tube}`);
    return [...text].reverse().join('');
}

const say = (line) => process.stdout.write(line + '\n');
const oneLine = (text) => String(text).split(/\s+/).join(' ').slice(0, 1000);

async function answer(job) {
    try {
        const result = Buffer.from(await work(job));
        say(`result ${job.id} ${result.length}`);
        process.stdout.write(Buffer.concat([result, Buffer.from('\n')]));
    } catch (error) {
        if (typeof error.retrySeconds === 'number')
            say(`retry ${job.id} ${Math.ceil(error.retrySeconds)} ${oneLine(error.message)}`);
        else say(`fail ${job.id} ${oneLine(error)}`);
    }
}

let input = Buffer.alloc(0); // what has come and is no whole job yet
process.stdin.on('data', (bytes) => {
    input = Buffer.concat([input, bytes]);
    for (;;) {
        const end = input.indexOf('\n');
        if (end < 0) return;
        const [, id, length, attempt, priority, tube] = input.toString('latin1', 0, end).split(' ');
        const start = end + 1, stop = start + Number(length);
        if (input.length < stop + 1) return; // the line feed behind the body comes with it
        const job = {
            id, tube, attempt: Number(attempt), priority: Number(priority),
            body: Buffer.from(input.subarray(start, stop)),
            progress: (percent, text = '') => say(`progress ${id} ${Math.floor(percent)} ${oneLine(text)}`),
            log: (text) => say(`log ${id} ${oneLine(text)}`),
        };
        input = input.subarray(stop + 1);
        answer(job);
    }
});
say('ready 1');

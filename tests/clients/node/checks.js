// SPDX-License-Identifier: MIT
// What the scripts of the Node clients share: comparisons, said the way tests/scenario/clients.sh reads them.
'use strict';

const { isDeepStrictEqual } = require('util');

function same(what, got, expected) {
    if (isDeepStrictEqual(got, expected))
        console.log(`ok ${what}`);
    else
        console.log(`not ok ${what}: got ${JSON.stringify(got)}, expected ${JSON.stringify(expected)}`);
}

// The promise must be rejected, with a message that matches.
async function refused(what, promise, pattern) {
    try {
        same(what, await promise, 'an error');
    } catch (error) {
        same(what, pattern.test(`${error.message} ${error.code || ''}`) || `${error.message}`, true);
    }
}

// Runs the script; whatever it throws ends it with a failure.
function run(script) {
    script(Number(process.argv[2])).then(
        () => console.log('end'),
        (error) => {
            console.log(`not ok ends well: ${error.stack}`);
            process.exit(1);
        });
}

module.exports = { refused, run, same };

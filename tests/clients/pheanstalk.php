<?php
// SPDX-License-Identifier: MIT
// A session of the client Pheanstalk (Debian's php-pda-pheanstalk) with hilerad, on the port that is the argument. Prints
// what tests/scenario/clients.sh reads.

declare(strict_types=1);

require_once 'Pheanstalk/autoload.php';

use Pheanstalk\Exception;
use Pheanstalk\Pheanstalk;

function same(string $what, $got, $expected): void
{
    if ($got === $expected) {
        echo "ok $what\n";
    } else {
        echo "not ok $what: got ", json_encode($got), ', expected ', json_encode($expected), "\n";
    }
}

// beanstalkd puts quotes around names since 1.13, and this client leaves them there.
function plain(string $value): string
{
    return trim($value, '"');
}

function refused(string $what, callable $call, string $pattern): void
{
    try {
        $call();
        same($what, 'no error', 'an error');
    } catch (Exception $error) {
        same($what, preg_match($pattern, get_class($error) . ' ' . $error->getMessage()), 1);
    }
}

$port = (int) $argv[1];
$producer = Pheanstalk::create('127.0.0.1', $port);
$worker = Pheanstalk::create('127.0.0.1', $port);

$producer->useTube('php');
same('list-tube-used', $producer->listTubeUsed(true), 'php');
$worker->watch('php')->ignore('default');
same('list-tubes-watched', $worker->listTubesWatched(true), ['php']);
refused('ignore of the last one', fn() => $worker->ignore('php'), '/NOT_IGNORED/');

$low = $producer->put('low', 9, 0, 100);
$high = $producer->put("h\r\nigh\0é", 1, 0, 100);
$late = $producer->put('late', 5, 1000, 100);
$job = $worker->reserve();
same('the better priority first', $job->getId(), $high->getId());
same('its bytes', $job->getData(), "h\r\nigh\0é");
$worker->touch($job);
$worker->release($job, 2, 0);
$job = $worker->reserveWithTimeout(0);
same('released, and first again', $job->getId(), $high->getId());
$stats = $producer->statsJob($job);
same('stats-job', [$stats['state'], plain($stats['tube']), $stats['releases'], $stats['reserves'], $stats['ttr'], $stats['pri']],
    ['reserved', 'php', '1', '2', '100', '2']);
refused('another has no say', fn() => $producer->delete($job), '/JobNotFound/');
$worker->delete($job);
refused('deleted is gone', fn() => $producer->peek($job), '/JobNotFound/');

$job = $worker->reserveWithTimeout(0);
$worker->bury($job, 7);
same('peek-buried', $producer->peekBuried()->getId(), $low->getId());
same('peek-delayed', $producer->peekDelayed()->getData(), 'late');
same('peek-ready', $producer->peekReady(), null);
same('reserve with nothing there', $worker->reserveWithTimeout(0), null);
same('kick', $producer->kick(10), 1);
$producer->kickJob($late);
same('peek', $producer->peek($late)->getData(), 'late');
$tube = $producer->statsTube('php');
same('stats-tube', [plain($tube['name']), $tube['current-jobs-ready'], $tube['total-jobs'], $tube['current-watching']],
    ['php', '2', '3', '1']);

$producer->pauseTube('php', 1000);
same('paused', $worker->reserveWithTimeout(0), null);
same('stats of the pause', $producer->statsTube('php')['pause'], '1000');
$producer->resumeTube('php');
same('resumed', $worker->reserve()->getId(), $late->getId());
same('then the other', $worker->reserve()->getId(), $low->getId());
$worker->delete($low);
$worker->delete($late);

$big = str_repeat('x', 65535);
$producer->put($big, 0, 0, 100);
$job = $worker->reserve();
same('the largest body', $job->getData() === $big, true);
$worker->release($job, 0, 1000);
same('released with a delay', $producer->peekDelayed()->getId(), $job->getId());
$producer->delete($job);
refused('a body past the limit', fn() => $producer->put($big . 'x'), '/JobTooBig/');
refused('a bad name', fn() => $producer->useTube('-bad'), '/BadFormat/');
$all = $producer->stats();
same('stats', [$all['current-jobs-ready'], $all['current-jobs-reserved'], $all['max-job-size'], $all['draining']],
    ['0', '0', '65535', 'false']);
same('list-tubes', $producer->listTubes(), ['default', 'php']);
echo "end\n";

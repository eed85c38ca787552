# SPDX-License-Identifier: MIT
# A session of the client Beaneater (Debian's ruby-beaneater) with hilerad, on the port that is the argument. Prints what
# tests/scenario/clients.sh reads.

require 'beaneater'

$stdout.sync = true

def same(what, got, expected)
  if got == expected
    puts "ok #{what}"
  else
    puts "not ok #{what}: got #{got.inspect}, expected #{expected.inspect}"
  end
end

def refused(what, error)
  yield
  same(what, 'no error', error)
rescue Beaneater::UnexpectedResponse => e
  same(what, e.class, error)
end

address = "127.0.0.1:#{ARGV[0]}"
producer = Beaneater.new(address)
worker = Beaneater.new(address)
tube = producer.tubes['ruby']

producer.tubes.use('ruby')
same('list-tube-used', producer.tubes.used.name, 'ruby')
worker.tubes.watch!('ruby')
same('list-tubes-watched', worker.tubes.watched.map(&:name), ['ruby'])
refused('ignore of the last one', Beaneater::NotIgnoredError) { worker.tubes.ignore('ruby') }

low = tube.put('low', pri: 9, ttr: 100)[:id]
high = tube.put("h\r\nigh\0", pri: 1, ttr: 100)[:id]
late = tube.put('late', pri: 5, delay: 1000, ttr: 100)[:id]
job = worker.tubes.reserve
same('the better priority first', job.id, high)
same('its bytes', job.body, "h\r\nigh\0")
same('its tube and TTR', [job.tube, job.ttr, job.pri], ['ruby', 100, 1])
job.touch
job.release(pri: 2, delay: 0)
job = worker.tubes.reserve(0)
same('released, and first again', job.id, high)
same('stats-job', [job.stats.state, job.stats.releases, job.stats.reserves, job.stats.pri], ['reserved', 1, 2, 2])
refused('another has no say', Beaneater::NotFoundError) { producer.jobs.find(high).delete }
job.delete
same('deleted is gone', producer.jobs.find(high), nil)

job = worker.tubes.reserve(0)
job.bury(pri: 7)
same('peek-buried', tube.peek(:buried).id, low)
same('peek-delayed', tube.peek(:delayed).body, 'late')
same('peek-ready', tube.peek(:ready), nil)
refused('reserve with nothing there', Beaneater::TimedOutError) { worker.tubes.reserve(0) }
same('kick', tube.kick(10)[:id], '1')
producer.jobs.find(late).kick
same('peek', producer.jobs.find(late).body, 'late')
stats = tube.stats
same('stats-tube', [stats.name, stats.current_jobs_ready, stats.total_jobs, stats.current_watching], ['ruby', 2, 3, 1])

tube.pause(1000)
refused('paused', Beaneater::TimedOutError) { worker.tubes.reserve(0) }
same('stats of the pause', tube.stats.pause, 1000)
tube.pause(0)
job = worker.tubes.reserve
same('resumed', job.id, late)
job.delete

big = 'x' * 65_535
tube.put(big, pri: 0)
job = worker.tubes.reserve
same('the largest body', job.body == big, true)
worker.close
same('disconnected, and ready again', tube.peek(:ready).id, job.id)
refused('a body past the limit', Beaneater::JobTooBigError) { tube.put("#{big}x") }
tube.clear
same('cleared', [tube.peek(:ready), tube.peek(:delayed), tube.peek(:buried)], [nil, nil, nil])
same('stats', [producer.stats.current_jobs_ready, producer.stats.max_job_size, producer.stats.draining], [0, 65_535, false])
same('list-tubes', producer.tubes.all.map(&:name), %w[default ruby])
producer.close
puts 'end'

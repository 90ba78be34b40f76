//! Load at a fixed rate, which wrk cannot give, and of an exact number of numbered writes.
//!
//! Requests are due at times that do not depend on the answers, and the latency of each counts from when it was
//! due. A service that stalls shows all that was due meanwhile as late, rather than the few requests that were
//! in flight (coordinated omission).

mod connection;
mod pace;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

use crate::Result;
use crate::load_result::Load;
use crate::statistics::percentile;

use connection::{Answer, Connection};
use pace::Pace;

/// Marks the timer among the connections.
const TIMER: u64 = u64::MAX;
/// How long the end of the time may go unnoticed.
const WAIT_MAX: Duration = Duration::from_millis(10);
/// How often a connection that ends is opened again, in a whole load.
const REOPENED_MAX: u32 = 10_000;

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    /// `http://127.0.0.1:PORT`.
    pub(crate) base_url: &'a str,
    /// Of the POST.
    pub(crate) path: &'a str,
    pub(crate) connections: usize,
    /// Requests in a second; without it, each connection sends its next when the last is answered.
    pub(crate) rate: Option<f64>,
    /// The number of the first request.
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// After this time nothing is sent or waited for.
    pub(crate) limit: Duration,
}

/// Sends requests first, first + 1, …, whose bodies `body` appends, until all are answered or the time is over.
/// What is then not answered counts as broken, with its wait so far as a lower bound of its latency.
///
/// # Errors
/// When the service cannot be connected to.
pub(crate) fn run(order: &Order<'_>, body: impl Fn(u64, &mut Vec<u8>)) -> Result<Load> {
    let mut driver = Driver::new(order)?;
    let began = Instant::now();
    let cpu_before = thread_cpu();
    while !driver.pace.is_over() && began.elapsed() < order.limit {
        driver.send_due(began, &body)?;
        driver.wait(began)?;
    }
    let now = began.elapsed();
    driver.give_up(now);
    Ok(driver.load(now, thread_cpu().saturating_sub(cpu_before)))
}

struct Driver<'a> {
    order: Order<'a>,
    address: SocketAddr,
    connections: Vec<Connection>,
    /// The connections on which nothing is under way.
    free: Vec<usize>,
    pace: Pace,
    epoll: OwnedFd,
    timer: OwnedFd,
    failed: u64,
    reopened: u32,
    message: Vec<u8>,
}

impl<'a> Driver<'a> {
    fn new(order: &Order<'a>) -> Result<Driver<'a>> {
        let address = order
            .base_url
            .strip_prefix("http://")
            .ok_or("not the URL of a service")?
            .parse()?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
        let mut driver = Driver {
            order: *order,
            address,
            connections: Vec::new(),
            free: (0..order.connections).collect(),
            pace: Pace::new(order.rate, order.count),
            epoll,
            timer,
            failed: 0,
            reopened: 0,
            message: Vec::new(),
        };
        for index in 0..order.connections {
            let connection = driver.open(index)?;
            driver.connections.push(connection);
        }
        Ok(driver)
    }

    fn open(&self, index: usize) -> Result<Connection> {
        let connection = Connection::open(self.address)?;
        let data = EventData::new_u64(index as u64);
        epoll::add(&self.epoll, connection.stream(), data, EventFlags::IN)?;
        Ok(connection)
    }

    fn send_due(&mut self, began: Instant, body: &impl Fn(u64, &mut Vec<u8>)) -> Result<()> {
        while let Some(index) = self.free.pop() {
            let Some(taken) = self.pace.take(began.elapsed()) else {
                self.free.push(index);
                return Ok(());
            };
            self.message.clear();
            body(self.order.first + taken.number, &mut self.message);
            let sent = match self.connections.get_mut(index) {
                Some(connection) => connection.send(self.order.path, &self.message, taken.since),
                None => Ok(()),
            };
            if sent.is_err() {
                self.replace(index, began.elapsed())?;
            }
        }
        Ok(())
    }

    /// Waits for answers, no longer than until the next request is due.
    fn wait(&mut self, began: Instant) -> Result<()> {
        let until = match self.pace.next_due() {
            Some(due) if !self.free.is_empty() => due.saturating_sub(began.elapsed()),
            _ => WAIT_MAX,
        };
        self.set_timer(until.clamp(Duration::from_nanos(1), WAIT_MAX))?;
        let mut events = Vec::<Event>::with_capacity(self.order.connections + 1);
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut events),
            None,
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events {
            // Copied out of the packed event.
            let data = event.data;
            if data.u64() != TIMER {
                self.receive(data.u64() as usize, began)?;
            }
        }
        Ok(())
    }

    fn set_timer(&self, after: Duration) -> Result<()> {
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let timer = Itimerspec {
            it_interval: zero,
            it_value: after.try_into()?,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &timer)?;
        Ok(())
    }

    fn receive(&mut self, index: usize, began: Instant) -> Result<()> {
        let Some(connection) = self.connections.get_mut(index) else {
            return Ok(());
        };
        match connection.receive() {
            Ok(None) => {}
            Ok(Some(Answer { since, is_success })) => {
                if is_success {
                    self.pace.answered(since, began.elapsed());
                } else {
                    self.failed += 1;
                    self.pace.failed();
                }
                self.free.push(index);
            }
            Err(_) => self.replace(index, began.elapsed())?,
        }
        Ok(())
    }

    /// Opens a new connection for one that has ended. What was under way on it has no answer.
    fn replace(&mut self, index: usize, now: Duration) -> Result<()> {
        self.reopened += 1;
        if self.reopened > REOPENED_MAX {
            return Err("the service closes its connections".into());
        }
        let new = self.open(index)?;
        if let Some(old) = self.connections.get_mut(index) {
            if let Some(since) = old.in_flight() {
                self.pace.broken(since, now);
                self.free.push(index);
            }
            *old = new;
        }
        Ok(())
    }

    fn give_up(&mut self, now: Duration) {
        let under_way = self.connections.iter().filter_map(Connection::in_flight);
        self.pace.give_up(under_way, now);
    }

    fn load(self, seconds: Duration, cpu: Duration) -> Load {
        let (mut latencies, broken) = self.pace.into_latencies();
        let succeeded = latencies.len() as u64 - broken;
        latencies.sort_by(f64::total_cmp);
        let at = |share| 1e3 * percentile(&latencies, share).unwrap_or_default();
        Load {
            succeeded,
            failed: self.failed,
            broken,
            seconds: seconds.as_secs_f64(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            cpu_s: cpu.as_secs_f64(),
        }
    }
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    /// Answers every request on a connection with what `answer` makes of its body; closes the connection
    /// instead where that is nothing.
    fn serve(stream: TcpStream, answer: fn(&str) -> Option<&'static str>) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        loop {
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or(0) > 0 && line != "\r\n" {
                if let Some(value) = line.strip_prefix("Content-Length: ") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            if line.is_empty() {
                return;
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            match answer(str::from_utf8(&body).unwrap()) {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                None => return,
            }
        }
    }

    fn server(answer: fn(&str) -> Option<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                thread::spawn(move || serve(stream, answer));
            }
        });
        format!("http://{address}")
    }

    fn load(base_url: &str, rate: Option<f64>, count: u64, limit: Duration) -> Load {
        let order = Order {
            base_url,
            path: "/write",
            connections: 4,
            rate,
            first: 100,
            count,
            limit,
        };
        run(&order, |number, body| {
            body.extend(number.to_string().bytes())
        })
        .unwrap()
    }

    #[test]
    fn every_request_is_sent_once_and_counted_by_its_answer() {
        const DONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        const FULL: &str = "HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n";
        // Of the requests 100 to 299, the hundred from 200 on fail, and one has no answer.
        let base_url = server(|body| match body {
            "150" => None,
            body if body.starts_with('2') => Some(FULL),
            _ => Some(DONE),
        });
        for rate in [None, Some(20_000.0)] {
            let load = load(&base_url, rate, 200, Duration::from_secs(30));
            assert_eq!((load.succeeded, load.failed, load.broken), (99, 100, 1));
        }
    }

    #[test]
    fn a_load_ends_when_its_time_is_over() {
        let base_url = server(|_| {
            thread::sleep(Duration::from_secs(3600));
            None
        });
        let load = load(
            &base_url,
            Some(1000.0),
            1_000_000,
            Duration::from_millis(50),
        );
        // At least the first of each connection was due, and waited to the end.
        assert_eq!((load.succeeded, load.failed), (0, 0));
        assert!(load.broken >= 4 && load.p50_ms > 0.0, "{load:?}");
    }
}

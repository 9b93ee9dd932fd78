//! Asks a world what `shared/tools/linux_tcp_lab.py` asks a real kernel, in the same words and with the same answer:
//! `cargo run --release -p hoplab-sim --example linux_tcp -- mux --delay 10ms --loss 1% --rate 200 --count 1000`.
//! With `page`, prints the page that lays the two side by side.

#[path = "../tests/it/lab.rs"]
mod lab;
#[path = "../tests/it/linux_tcp.rs"]
mod linux_tcp;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("page") {
        return print!("{}", linux_tcp::page().0);
    }
    let (case, seed) = lab::Case::read(std::env::args().skip(1));
    let times = lab::ask(case, seed);
    println!(
        "n {}, mean {:.1}, p50 {:.1}, p90 {:.1}, p99 {:.1}, max {:.1} ms, {} packets",
        case.count, times.mean, times.p50, times.p90, times.p99, times.max, times.packets
    );
}

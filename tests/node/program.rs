//! A Bee-compatible node as a program: for trying podfs, and for a household that keeps its own chunks.

#[allow(
    dead_code,
    reason = "the program turns few of the switches that tests turn"
)]
#[path = "mod.rs"]
mod node;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::node::{Mode, Node, Options, Version};

/// A Bee-compatible node that keeps chunks in memory or in a folder. It is no part of the Swarm network.
#[allow(clippy::struct_excessive_bools, reason = "each is a switch")]
#[derive(Parser)]
#[command(name = "bee-node")]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:1633")]
    listen: SocketAddr,
    /// Keep chunks, batches, tags and pins in this folder
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Behave as `bee dev` did: tagged uploads only, batches cost nothing and never end
    #[arg(long)]
    dev: bool,
    /// Behave as a gateway: few routes, everything is stamped with its own batch
    #[arg(long, conflicts_with = "dev")]
    gateway: bool,
    /// Behave as Bee 2.8.0, which adds no parities on its own
    #[arg(long)]
    bee_2_8_0: bool,
    /// Buy a batch of this depth that can be used at once, and print its id; may be given several times
    #[arg(long)]
    batch: Vec<u8>,
    /// Threads that answer requests
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

#[allow(
    clippy::print_stdout,
    clippy::let_underscore_must_use,
    reason = "who starts it reads where it listens"
)]
fn main() {
    let arguments = Arguments::parse();
    let mode = match (arguments.dev, arguments.gateway) {
        (true, _) => Mode::Dev,
        (_, true) => Mode::Gateway,
        _ => Mode::Light,
    };
    let version = if arguments.bee_2_8_0 {
        Version::V2_8_0
    } else {
        Version::V2_8_1
    };
    let network = node::Network::at(node::Clock::running(), node::Clock::running().now());
    let network = arguments.dir.is_none().then_some(network);
    let node = Node::start(Options {
        version,
        network,
        listen: arguments.listen,
        dir: arguments.dir,
        threads: arguments.threads,
        ..Options::new(mode)
    });
    println!("listening on {}", node.url());
    for depth in arguments.batch {
        let id = node.buy_batch(depth);
        println!("batch {}", node::hexadecimal(&id));
    }
    loop {
        std::thread::park();
    }
}

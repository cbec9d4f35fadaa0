"""What the measurements of one file system alone share: their options, their mount, their verdict."""

import argparse
import sys

import machine
import report
import systems


def parser(words, seconds=None):
    """The options all of them take."""
    made = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--podfs", metavar="PATH", help="the podfs to measure; default: target/release, built if missing")
    made.add_argument("--system", choices=[name for name in systems.ALL if name != "plain"], default="podfs",
                      help="measure another one in the same way, to compare")
    made.add_argument("--dir", default="/var/tmp", help="a folder on the disk to measure, /var/tmp by default")
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    if seconds is not None:
        made.add_argument("--seconds", type=float, default=seconds, help=f"how long, {seconds} by default")
    return made


def say(words):
    """Progress, for people."""
    print(words, file=sys.stderr, flush=True)


def measured(options, space, work, programs=None):
    """Run `work(options, folder, undo, verdicts)` in a private folder with `space` bytes free; returns the exit code."""
    machine.need_root()
    machine.need_programs({**(programs or {}), **systems.ALL[options.system].programs})
    if options.system == "podfs":
        systems.need_podfs(options.podfs)
    machine.need_space(options.dir, space)
    verdicts = report.Verdicts()
    with machine.private_folder(options.dir) as (folder, undo):
        about = {**machine.facts(folder), "system": options.system}
        try:
            work(options, folder, undo, verdicts)
        except (OSError, RuntimeError, ValueError) as error:
            verdicts.holds("came to its end", False, str(error))
    return verdicts.print(about, options.json)


def new(options, folder, undo, mount_options=()):
    """A new file system that is unmounted and deleted at the end, not yet mounted."""
    made = systems.ALL[options.system](folder, mount_options)
    undo.callback(made.destroy)
    made.create()
    return made


def main(work):
    """Run a script's main function and turn its end into an exit code."""
    try:
        sys.exit(work())
    except machine.Refused as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)

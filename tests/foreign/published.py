"""Entries, nodes, files and directories of a published pod, written from FORMAT.md alone: what restore.py shows.

Needs what swarm.py needs.
"""

import stat
from typing import NamedTuple

from reader import Damaged, Fields
from swarm import BLOCK, NODE, PAGE, Link, newest_head, open_link, take_links, take_lone, take_ref

FILE_NODE, INODE, LEAF, DIRECTORY_NODE, ATTRIBUTES = 1, 2, 3, 4, 5
# What stands in an inode itself, what stands in an entry itself, levels of a tree of names.
INLINE, TARGET, LEVELS = 3600, 255, 16
TOP = 1


def need(condition, what):
    if not condition:
        raise Damaged(what)


# --- entries


class Entry(NamedTuple):
    mode: int
    ino: int
    size: int
    mtime: tuple
    atime: tuple
    uid: int
    gid: int
    names: int
    device: int
    target: bytes
    inode: object
    tree: object
    box: int
    has_xattrs: bool

    def is_kind(self, *kinds):
        return stat.S_IFMT(self.mode) in kinds

    def linked(self, links):
        """The same with the next links for its references."""
        return self._replace(inode=self.inode and next(links), tree=self.tree and next(links))


def take_time(fields):
    seconds, nanos = fields.number(8, signed=True), fields.u32()
    need(nanos < 10**9, "a time")
    return seconds, nanos


def take_attributes(fields):
    """An entry without its name, with plain references."""
    flags, mode = fields.number(2), fields.number(2)

    def given(flag, take, usual):
        if not flags & flag:
            return usual
        value = take()
        need(value != usual, "a field that says what is the case without it")
        return value

    kind, time = stat.S_IFMT(mode), lambda: take_time(fields)
    need(flags < 1024 and (kind == stat.S_IFDIR or flags < 256), "flags")
    ino, size, mtime = fields.u64(), fields.u64(), take_time(fields)
    given(4, time, mtime)
    created = given(8, time, mtime)
    accessed = given(16, time, created)
    uid, gid = given(1, fields.u32, None), given(2, fields.u32, None)
    names = given(32, fields.u32, 2 if kind == stat.S_IFDIR else 1)
    device = fields.u32() if kind in (stat.S_IFCHR, stat.S_IFBLK) else 0
    target = fields.take(size) if kind == stat.S_IFLNK and size <= TARGET else None
    inode, tree = (given(flag, lambda: take_ref(fields), None) for flag in (128, 256))
    box = take_box(fields) if flags & 512 else None
    long = kind == stat.S_IFREG and size or kind == stat.S_IFLNK and size > TARGET
    need(bool(inode) == bool(long or flags & 64), "an inode too many or too few")
    need(kind in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK) or not size, "a size")
    return Entry(mode, ino, size, mtime, accessed, uid, gid, names, device, target, inode, tree, box, bool(flags & 64))


def take_box(fields):
    number, one_scope = fields.u32(), fields.number(1)
    need(number and one_scope < 2, "a box")
    return number


def take_name(fields):
    name = fields.take(fields.number(1))
    need(name not in (b"", b".", b"..") and not set(name) & {0, ord("/")}, "a name")
    return name


def references(entries):
    return [ref for entry in entries for ref in (entry.inode, entry.tree) if ref]


def ascending(items):
    return all(one < other for one, other in zip(items, items[1:]))


# --- nodes


class Node(NamedTuple):
    level: int
    group: int
    count: int
    length: int
    value: int
    fields: Fields

    def end(self):
        need(not any(self.fields.take(PAGE - self.fields.at)), "something behind a node")


def open_node(bee, link, *kinds):
    """Kind and node; the fields go on behind the common header."""
    fields = Fields(open_link(bee, link, NODE))
    version, kind = fields.number(1), fields.number(1)
    need(version == 1 and kind in kinds, "a node of another kind or version")
    return kind, Node(fields.number(1), fields.number(1), fields.number(2), fields.number(2), fields.u64(), fields)


def take_xattrs(fields):
    found = []
    while fields.more():
        name = fields.take(fields.number(1))
        need(name.startswith(b"user.") and name != b"user." and not name.startswith(b"user.pod."), "the name of an attribute")
        found.append((name, fields.take(fields.u32())))
    need(ascending([name for name, _ in found]), "the order of attributes")
    return found


def most(slots, group):
    return next(n for n in range(slots, 0, -1) if n + (-(-n // group) if group else 0) <= slots)


class Inode:
    """Contents and attributes, wherever they stand."""

    def __init__(self, bee, link, kind=INODE):
        self.bee = bee
        _, node = open_node(bee, link, kind)
        fields, self.size = node.fields, node.value
        fields.take(16)
        self.groups = fields.number(1), fields.number(1)
        need(fields.number(2) == 0, "an inode")
        self.pages = -(-self.size // PAGE)
        self.inline = self.links = None
        if self.size <= INLINE:
            need((node.level, node.count, node.group, self.groups) == (0, 0, 0, (0, 0)), "an inode with its contents")
            self.inline = fields.take(self.size)
        else:
            self.level = next(level for level in range(256) if self.pages <= self.span(level) * most(44, self.group(level)))
            shape = self.level, self.group(self.level), -(-self.pages // self.span(self.level))
            need((node.level, node.group, node.count) == shape, "the shape of a tree")
            children = [take_ref(fields) for _ in range(node.count)]
            self.links = take_links(children, node.group, fields)
        self.list, self.elsewhere = Fields(b""), None
        if node.length == 0xFFFF:
            self.elsewhere = take_lone(take_ref(fields), fields)
            need(self.elsewhere, "attributes in a hole")
        else:
            self.list = Fields(fields.take(node.length))
        node.end()
        self.found = None if self.elsewhere else take_xattrs(self.list)

    def group(self, level):
        """Of something whose children are of this level."""
        return self.groups[0 if level == 0 else 1]

    def span(self, level):
        """Pages under a child of this level."""
        return 1 if level == 0 else self.span(level - 1) * most(51, self.group(level - 1))

    def xattrs(self):
        if self.elsewhere:
            apart = Inode(self.bee, self.elsewhere, ATTRIBUTES)
            need(apart.elsewhere is None and not apart.found, "attributes of attributes")
            self.elsewhere, self.found = None, take_xattrs(Fields(b"".join(data for _, data in apart.data())))
        return self.found

    def data(self):
        """All that is no hole: offsets and bytes, in order. Of an attribute list there are no holes."""
        if self.inline is not None:
            yield 0, self.inline
            return
        for at, page in self.below(self.links, self.level, 0, self.pages):
            yield at * PAGE, page[: self.size - at * PAGE]

    def below(self, links, level, first, pages):
        if level == 0:
            full = [(first + at, link) for at, link in enumerate(links) if link]
            opened = self.bee.pool.map(lambda place: open_link(self.bee, place[1], BLOCK), full)
            yield from ((at, page) for (at, _), page in zip(full, opened))
            return
        span = self.span(level)
        for at, link in enumerate(links):
            if link is None:
                continue
            covered = min(span, pages - at * span)
            _, node = open_node(self.bee, link, FILE_NODE)
            shape = level, self.group(level - 1), -(-covered // self.span(level - 1)), 0, covered
            need((node.level, node.group, node.count, node.length, node.value) == shape, "the shape of a file node")
            children = [take_ref(node.fields) for _ in range(node.count)]
            need(any(children), "a file node of holes")
            inner = take_links(children, node.group, node.fields)
            node.end()
            yield from self.below(inner, level - 1, first + at * span, covered)


# --- directories


class Box:
    """The newest state of the pod's own box, or of one attached to it."""

    def __init__(self, bee, root, pod=0, number=0):
        self.bee, self.root, self.pod = bee, root, pod
        head = newest_head(bee, root, pod, number)
        fields = Fields(head.parts[1])
        top = take_attributes(fields)
        tree = take_lone(top.tree, fields)
        need(not fields.more() and top.ino == TOP and top.is_kind(stat.S_IFDIR), "the top directory")
        # Its inode stands alone: only the tree has parity here.
        self.top = top._replace(inode=top.inode and Link(top.inode, [], None), tree=tree)
        self.changes = self.take_changes(Fields(head.parts.get(3, bytes(3))))

    @staticmethod
    def take_changes(fields):
        count, group, changes = fields.number(2), fields.number(1), []
        for _ in range(count):
            directory, name = fields.u64(), take_name(fields)
            exists = fields.number(1)
            need(exists < 2, "a change")
            changes.append((directory, name, take_attributes(fields) if exists else None))
        need(ascending([change[:2] for change in changes]), "the order of changes")
        children = references([entry for *_, entry in changes if entry])
        links = iter(take_links(children, group, fields))
        need(not fields.more(), "something behind the changes")
        found = {}
        for directory, name, entry in changes:
            found.setdefault(directory, {})[name] = entry and entry.linked(links)
        return found

    def names(self, directory):
        """Sorted names and entries of a directory."""
        found = dict(self.tree(directory.tree)[0]) if directory.tree else {}
        found.update(self.changes.get(directory.ino, {}))
        found = {name: entry for name, entry in found.items() if entry}
        need(len(found) == directory.size, f"{len(found)} names in a directory of {directory.size}")
        return sorted(found.items())

    def tree(self, link, level=None):
        """Names and entries below a link, and its level."""
        kind, node = open_node(self.bee, link, LEAF, DIRECTORY_NODE)
        need(level in (None, node.level) and node.level <= LEVELS, "the level of a node")
        need((node.level == 0) == (kind == LEAF) and node.count, "a node of names")
        fields, begin = node.fields, node.fields.at
        take = take_attributes if kind == LEAF else take_ref
        pairs = [(take_name(fields), take(fields)) for _ in range(node.count)]
        need(fields.at - begin == node.length and ascending([name for name, _ in pairs]), "names of a node")
        if kind == LEAF:
            links = iter(take_links(references([entry for _, entry in pairs]), node.group, fields))
            found = [(name, entry.linked(links)) for name, entry in pairs]
        else:
            found, links = [], take_links([ref for _, ref in pairs], node.group, fields)
            for at, ((name, ref), child) in enumerate(zip(pairs, links)):
                need(ref, "a node of names that is a hole")
                below, _ = self.tree(child, node.level - 1)
                need(below[0][0] == name, "the first name of a node")
                need(at + 1 == len(pairs) or below[-1][0] < pairs[at + 1][0], "the last name of a node")
                found += below
        node.end()
        need(len(found) == node.value, "the number of names")
        return found, node.level

    def walk(self, entry, path=b""):
        """Path and entry of everything, what is above first."""
        yield path, entry
        if entry.is_kind(stat.S_IFDIR):
            for name, below in self.names(entry):
                yield from self.walk(below, path + b"/" + name)

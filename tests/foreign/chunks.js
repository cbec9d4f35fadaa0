// Chunks of Swarm by other programs: bmt-js makes addresses, bee-js reads single-owner chunks and makes some.
//
//   chunks.js addresses       payloads on standard input; one address a line
//   chunks.js single-owner    single-owner chunks on standard input, each behind its address of 32 bytes; one line each:
//                             owner, identifier, payload, and the chunk that bee-js makes of them with the key 07…07
//
// Every item on standard input is le32 length ‖ bytes. Whatever bee-js refuses ends the program with an error.
'use strict';

const fs = require('fs');

function* items() {
  const input = fs.readFileSync(0);
  for (let at = 0; at < input.length; ) {
    const length = input.readUInt32LE(at);
    yield input.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
}

function addresses() {
  const { makeChunk } = require('@fairdatasociety/bmt-js');
  for (const payload of items()) {
    console.log(Buffer.from(makeChunk(payload).address()).toString('hex'));
  }
}

function singleOwner() {
  const { Bee, Bytes } = require('@ethersphere/bee-js');
  const bee = new Bee('http://localhost:1');
  const key = '07'.repeat(32);
  for (const item of items()) {
    const address = new Uint8Array(item.subarray(0, 32));
    const chunk = bee.unmarshalSingleOwnerChunk(new Uint8Array(item.subarray(32)), address);
    const computed = bee.calculateSingleOwnerChunkAddress(chunk.identifier, chunk.owner);
    if (computed.toHex() !== chunk.address.toHex()) throw new Error('another address');
    const content = bee.makeContentAddressedChunk(chunk.payload.toUint8Array());
    const made = content.toSingleOwnerChunk(chunk.identifier, key);
    const fields = [chunk.owner, chunk.identifier, chunk.payload, made.address, new Bytes(made.data)];
    console.log(fields.map((field) => field.toHex()).join(' '));
  }
}

({ addresses, 'single-owner': singleOwner })[process.argv[2]]();

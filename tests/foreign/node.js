// The node for tests, seen from bee-js: what an application does with a real node works with this one.
//
//   node.js URL BATCH            a node of Bee 2.8.0
//   node.js --gateway URL        a gateway
//
// Whatever is not as it should be ends the program with an error.
'use strict';

const assert = require('assert');
const { Bee, Identifier, PrivateKey, Topic } = require('@ethersphere/bee-js');

const same = (one, two) => assert.ok(Buffer.from(one).equals(Buffer.from(two)));

// Bytes that no other call gives.
function bytes(length, seed) {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) * 7 + seed) & 255);
}

async function files(bee, batch) {
  for (const length of [1, 4096, 4097, 128 * 4096 + 1, 1000000]) {
    const data = bytes(length, length);
    const result = await bee.uploadData(batch, data, { redundancyLevel: 0 });
    same((await bee.downloadData(result.reference)).toUint8Array(), data);
    const tag = await bee.retrieveTag(result.tagUid);
    assert.ok(tag.split > 0 && tag.synced + tag.seen >= tag.split);
    assert.strictEqual(await bee.isReferenceRetrievable(result.reference), true);
    await bee.pin(result.reference);
    assert.strictEqual((await bee.getPin(result.reference)).reference.toHex(), result.reference.toHex());
    await bee.unpin(result.reference);
  }
  await assert.rejects(bee.downloadData('ab'.repeat(32)), (error) => error.status === 404);
}

async function chunks(bee, batch) {
  const content = bee.makeContentAddressedChunk(bytes(4096, 1));
  const direct = await bee.uploadChunk(batch, content);
  assert.strictEqual(direct.reference.toHex(), content.address.toHex());
  same(await bee.downloadChunk(direct.reference), content.data);
  const tag = await bee.createTag();
  const other = bee.makeContentAddressedChunk(bytes(100, 2));
  await bee.uploadChunk(batch, other, { tag: tag.uid });
  const counted = await bee.retrieveTag(tag);
  assert.deepStrictEqual([counted.split, counted.sent, counted.synced], [1, 1, 1]);
  assert.ok((await bee.getAllTags()).some((held) => held.uid === tag.uid));
  await bee.deleteTag(tag);
  await assert.rejects(bee.retrieveTag(tag), (error) => error.status === 404);
}

async function singleOwner(bee, batch) {
  const key = new PrivateKey('07'.repeat(32));
  const owner = key.publicKey().address();
  const writer = bee.makeSOCWriter(key);
  const identifier = new Identifier('03'.repeat(32));
  const payload = bytes(300, 3);
  const result = await writer.upload(batch, identifier, payload);
  const address = bee.calculateSingleOwnerChunkAddress(identifier, owner);
  assert.strictEqual(result.reference.toHex(), address.toHex());
  same((await bee.makeSOCReader(owner).download(identifier)).payload.toUint8Array(), payload);
  const whole = await bee.downloadChunk(address);
  same(bee.unmarshalSingleOwnerChunk(whole, address).payload.toUint8Array(), payload);
  const topic = Topic.fromString('a feed');
  const feed = bee.makeFeedWriter(topic, key);
  for (let index = 0; index < 3; index++) await feed.uploadPayload(batch, bytes(50, index));
  const update = await bee.makeFeedReader(topic, owner).downloadPayload();
  assert.strictEqual(update.feedIndex.toBigInt(), 2n);
  same(update.payload.toUint8Array(), bytes(50, 2));
}

async function stamps(bee, batch) {
  const batches = await bee.getPostageBatches();
  assert.ok(batches.some((held) => held.batchID.toHex() === batch && held.usable && held.immutableFlag));
  const held = await bee.getPostageBatch(batch);
  assert.ok(held.duration.toDays() > 59 && held.depth === 20);
  const buckets = await bee.getPostageBatchBuckets(batch);
  assert.strictEqual(buckets.buckets.length, 65536);
  const most = Math.max(...buckets.buckets.map((bucket) => bucket.collisions));
  assert.ok(most > 0 && buckets.bucketUpperBound === 16);
  const price = (await bee.getChainState()).currentPrice;
  const bought = await bee.createPostageBatch(String(price * 17280 * 2), 17, { waitForUsable: false, label: 'bee-js' });
  await bee.topUpBatch(bought, String(price * 17280 * 3));
  await bee.diluteBatch(bought, 18);
  const envelope = await bee.createEnvelope(batch, '11'.repeat(32));
  assert.strictEqual(envelope.issuer.length, 20);
}

async function information(bee) {
  assert.strictEqual(await bee.isConnected(), true);
  assert.strictEqual(await bee.isGateway(), false);
  assert.strictEqual((await bee.getNodeInfo()).beeMode, 'light');
  assert.strictEqual((await bee.getHealth()).status, 'ok');
  assert.strictEqual((await bee.getReadiness()).status, 'ready');
  assert.strictEqual((await bee.getStatus()).beeMode, 'light');
  assert.ok((await bee.getWalletBalance()).bzzBalance.toPLURBigInt() > 0n);
  assert.strictEqual((await bee.getNodeAddresses()).overlay.toHex().length, 64);
}

async function gateway(bee) {
  assert.strictEqual(await bee.isGateway(), true);
  const content = bee.makeContentAddressedChunk(bytes(4096, 4));
  await bee.uploadChunk('00'.repeat(32), content);
  same(await bee.downloadChunk(content.address), content.data);
}

async function main() {
  const [first, second] = process.argv.slice(2);
  if (first === '--gateway') return gateway(new Bee(second));
  const bee = new Bee(first);
  await information(bee);
  await chunks(bee, second);
  await files(bee, second);
  await singleOwner(bee, second);
  await stamps(bee, second);
}

main().catch((error) => {
  console.error(error.responseBody ? Buffer.from(error.responseBody).toString() : error);
  console.error(error);
  process.exit(1);
});

// ioredis and node-redis at the node of kv whose port is the first argument; exits with 1 at the first reply that is wrong.
import assert from 'node:assert/strict';
import Redis from 'ioredis';
import { createClient } from 'redis';

const port = Number(process.argv[2]);

/** What is left of so many seconds: less than all of them on a busy machine. */
function assertLeft(seconds, of) {
  assert.ok(seconds > of / 2 && seconds <= of, `${seconds} of ${of} s`);
}

async function withIoredis() {
  const client = new Redis({ host: '127.0.0.1', port });
  for (const name of ['apple', 'zebra']) {
    const hash = `${name}-hash`;
    assert.equal(await client.set(name, '1', 'EX', 60), 'OK');
    assertLeft(await client.ttl(name), 60);
    assert.equal(await client.getex(name, 'PERSIST'), '1');
    assert.equal(await client.hset(hash, { a: '1', b: '2' }), 2);
    assert.deepEqual(await client.call('HEXPIRE', hash, 60, 'FIELDS', 1, 'a'), [1]);
    assert.deepEqual(await client.multi().incr(name).hlen(hash).exec(), [[null, 2], [null, 2]]);
    assert.deepEqual(await client.pipeline().get(name).hgetall(hash).exec(), [[null, '2'], [null, { a: '1', b: '2' }]]);
    await client.watch(name);
    await client.incr(name);
    assert.deepEqual(await client.multi().get(name).exec(), null);
  }
  assert.deepEqual(await client.mget('apple', 'none', 'zebra'), ['3', null, '3']);
  const seen = [];
  for await (const page of client.scanStream({ match: '*-hash' })) {
    seen.push(...page);
  }
  assert.deepEqual(seen.sort(), ['apple-hash', 'zebra-hash']);
  assert.equal(await client.del('apple', 'zebra', ...seen), 4);
  await client.quit();
}

async function withNodeRedis(version) {
  const client = await createClient({ url: `redis://127.0.0.1:${port}`, RESP: version }).connect();
  for (const name of ['apple', 'zebra']) {
    const hash = `${name}-hash`;
    assert.equal(await client.set(name, '1', { EX: 60 }), 'OK');
    assertLeft(await client.ttl(name), 60);
    assert.equal(await client.getEx(name, { type: 'PERSIST' }), '1');
    assert.equal(await client.hSet(hash, { a: '1', b: '2' }), 2);
    assert.deepEqual({ ...(await client.hGetAll(hash)) }, { a: '1', b: '2' });
    assert.deepEqual(await client.hExpire(hash, 'a', 60), [1]);
    await client.watch(name);
    assert.deepEqual(await client.multi().incr(name).hLen(hash).exec(), [2, 2]);
  }
  assert.equal(await client.mSet([['apple', '7'], ['zebra', '8']]), 'OK');
  assert.deepEqual(await client.mGet(['apple', 'none', 'zebra']), ['7', null, '8']);
  const seen = [];
  for await (const page of client.scanIterator({ MATCH: '*-hash' })) {
    seen.push(...page);
  }
  assert.deepEqual(seen.sort(), ['apple-hash', 'zebra-hash']);
  assert.equal(await client.del(['apple', 'zebra', ...seen]), 4);
  await client.close();
}

/** ioredis sends its commands whatever the reply to SELECT is. */
async function forAnotherDatabase() {
  const io = new Redis({ host: '127.0.0.1', port, db: 1, retryStrategy: null, maxRetriesPerRequest: 0 });
  io.on('error', () => {});
  await assert.rejects(io.set('apple', '1'));
  io.disconnect();
  const node = createClient({ url: `redis://127.0.0.1:${port}/1`, socket: { reconnectStrategy: false } });
  node.on('error', () => {});
  await assert.rejects(node.connect(), /kv has database 0 alone/);
  const client = await createClient({ url: `redis://127.0.0.1:${port}` }).connect();
  assert.equal(await client.exists('apple'), 0);
  await client.close();
}

async function withTheCacheOfTheClient() {
  const client = createClient({
    url: `redis://127.0.0.1:${port}`,
    RESP: 3,
    clientSideCache: { ttl: 0 },
    socket: { reconnectStrategy: false },
  });
  client.on('error', () => {});
  await assert.rejects(client.connect(), /CLIENT TRACKING is not supported/);
}

await withIoredis();
await withNodeRedis(2);
await withNodeRedis(3);
await forAnotherDatabase();
await withTheCacheOfTheClient();
process.exit(0);

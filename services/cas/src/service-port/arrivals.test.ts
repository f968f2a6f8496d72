import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { arrivals } from './arrivals.ts';

void test('connections begin in the order in which they came, one in a turn, with all that was sent before', async (t) => {
  const begun: Socket[] = [];
  let turn = 0;
  const turns: number[] = [];
  const server = arrivals((socket) => {
    begun.push(socket);
    turns.push(turn);
  });
  t.after(() => {
    for (const socket of begun) socket.destroy();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: 5 }, () => connect(port, '127.0.0.1'));
  t.after(() => clients.forEach((client) => client.destroy()));
  for (const [i, client] of clients.entries()) client.write(`${i}`);
  while (begun.length < clients.length) {
    await new Promise((resolve) => setImmediate(resolve));
    turn++;
  }
  assert.equal(new Set(turns).size, clients.length, 'no two in one turn');
  const ports = await Promise.all(
    begun.map(async (socket) => {
      const data = once(socket, 'data');
      socket.resume();
      return [socket.remotePort, String((await data)[0])];
    }),
  );
  assert.deepEqual(
    ports,
    clients.map((client, i) => [client.localPort, `${i}`]),
  );
});

void test('a connection that is gone before its turn is not begun', async (t) => {
  const begun: Socket[] = [];
  const server = arrivals((socket) => begun.push(socket));
  t.after(() => {
    for (const socket of begun) socket.destroy();
    server.close();
  });
  server.on('connection', (socket: Socket) => {
    if (begun.length === 0) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  await once(client, 'close');
  assert.deepEqual(begun, []);
});

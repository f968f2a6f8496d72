import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostSettings, type HostSettings } from './host-settings.ts';

const settings = (variables: Readonly<Record<string, string>> = {}): HostSettings =>
  hostSettings(new Map(Object.entries({ SCONE_CAS_ADDR: 'cas', SCONE_CONFIG_ID: 'demo/app', ...variables })));

void test('what the host may set is read; the rest of its environment means nothing', () => {
  assert.deepEqual(settings({ SCONE_MODE: 'none', NODE_OPTIONS: '--inspect' }), {
    casHost: 'cas',
    casPort: 18_765,
    lasSocket: '/run/ensconce/las.sock',
    configId: 'demo/app',
    serviceAccessToken: undefined,
    logLevel: 'WARNING',
  });
  const all = settings({ SCONE_SERVICE_ACCESS_TOKEN: 't', SCONE_LOG: 'DEBUG', SCONE_LAS_ADDR: '/las.sock' });
  assert.equal(all.serviceAccessToken, 't');
  assert.equal(all.logLevel, 'DEBUG');
  assert.equal(all.lasSocket, '/las.sock');
  assert.equal(settings({ SCONE_LOG: 'debug' }).logLevel, 'WARNING');
});

void test('addresses of CAS: a name, IPv4, IPv6 in brackets, each with or without a port', () => {
  for (const [text, host, port] of [
    ['cas.example.org', 'cas.example.org', 18_765],
    ['cas:1', 'cas', 1],
    ['10.0.0.1:65535', '10.0.0.1', 65_535],
    ['[::1]', '::1', 18_765],
    ['[2001:db8::1]:8765', '2001:db8::1', 8765],
    ['[::ffff:10.0.0.1]', '::ffff:10.0.0.1', 18_765],
  ] as const) {
    const { casHost, casPort } = settings({ SCONE_CAS_ADDR: text });
    assert.deepEqual([casHost, casPort], [host, port], text);
  }
});

void test('other addresses of CAS are refused', () => {
  for (const text of [
    '',
    ':1',
    'cas:',
    'cas:0',
    'cas:65536',
    'cas:123456',
    'cas:-1',
    'cas:1:2',
    'cas:x',
    '::1',
    '[::1',
    '[::1]x',
    '[]',
    '[::::]',
    '[1.2.3.4]',
    '[fe80::1%eth0]',
    'https://cas',
    'cas/',
    'ca s',
    'cas\n',
    'cäs',
  ]) {
    assert.throws(
      () => settings({ SCONE_CAS_ADDR: text }),
      { code: 'HOST_ENVIRONMENT' },
      JSON.stringify(text),
    );
  }
});

void test('the LAS is a unix socket below the root that the host gave', () => {
  assert.equal(settings({ SCONE_LAS_ADDR: '/a/../../../run/../las.sock' }).lasSocket, '/las.sock');
  for (const text of ['localhost:18766', '', 'las.sock', '172.17.0.1'])
    assert.throws(() => settings({ SCONE_LAS_ADDR: text }), { code: 'HOST_ENVIRONMENT' });
});

void test('what is missing or too long is named', () => {
  assert.throws(() => hostSettings(new Map()), { message: /^SCONE_CAS_ADDR/ });
  assert.throws(() => settings({ SCONE_CONFIG_ID: '' }), { message: /^SCONE_CONFIG_ID/ });
  assert.throws(() => settings({ SCONE_CONFIG_ID: 'x'.repeat(2049) }), {
    message: /^SCONE_CONFIG_ID: at most/,
  });
  const token = 'x'.repeat(4097);
  assert.throws(
    () => settings({ SCONE_SERVICE_ACCESS_TOKEN: token }),
    (error: Error) =>
      error.message.startsWith('SCONE_SERVICE_ACCESS_TOKEN') && !error.message.includes(token),
  );
});

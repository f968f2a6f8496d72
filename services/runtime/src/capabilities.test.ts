import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { applicationCapabilities } from './capabilities.ts';

const all = (1n << 64n) - 1n;

void test('an application holds what both engine and policy give', () => {
  assert.equal(applicationCapabilities(all, ['CAP_CHOWN', 'CAP_SETUID']), 0b1000_0001n);
  assert.equal(applicationCapabilities(0b1n, ['CAP_CHOWN', 'CAP_SETUID']), 1n);
  assert.equal(applicationCapabilities(all, []), 0n);
});

void test('what reaches the runtime, its mounts or its network is withheld, whatever the policy says', () => {
  for (const name of [
    'CAP_SYS_ADMIN',
    'CAP_SYS_PTRACE',
    'CAP_NET_ADMIN',
    'CAP_NET_RAW',
    'CAP_BPF',
    'CAP_MKNOD',
  ])
    assert.equal(applicationCapabilities(all, [name]), 0n, name);
});

void test('a name that Linux does not have is refused', () => {
  for (const name of ['CAP_EVERYTHING', 'cap_chown', 'toString', '__proto__', ''])
    assert.throws(() => applicationCapabilities(all, [name]), { code: 'CONFIGURATION' }, name);
});

void test('numbers are those of linux/capability.h', (t) => {
  let header: string;
  try {
    header = readFileSync('/usr/include/linux/capability.h', 'utf8');
  } catch {
    t.skip('no linux/capability.h here: apt-get install linux-libc-dev');
    return;
  }
  const numbers = [...header.matchAll(/^#define (CAP_[A-Z_]+)\s+(\d+)$/gm)];
  assert.ok(numbers.length > 38);
  for (const [, name = '', number = ''] of numbers) {
    const set = applicationCapabilities(all, [name]);
    assert.ok(set === 0n || set === 1n << BigInt(number), name);
  }
});

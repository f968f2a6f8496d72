import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ElfError, withoutSections } from './elf.ts';

const program = readFileSync(realpathSync('/bin/echo'));

void test('a program without its sections is smaller and still runs', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-elf-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'echo');
  const kept = withoutSections(program);
  writeFileSync(path, kept, { mode: 0o755 });
  assert.ok(kept.length < program.length);
  assert.equal(execFileSync(path, ['runs'], { encoding: 'utf8' }), 'runs\n');
  assert.deepEqual(withoutSections(kept), kept);
});

void test('what is no whole ELF file is refused', () => {
  const changed = (at: number, byte: number): Buffer => {
    const bytes = Buffer.from(program);
    bytes[at] = byte;
    return bytes;
  };
  const wrong = [
    Buffer.alloc(0),
    Buffer.from('#!/bin/sh\n'.repeat(20)),
    program.subarray(0, 63),
    program.subarray(0, 200),
    program.subarray(0, withoutSections(program).length - 1),
    changed(0, 0),
    changed(4, 1),
    changed(5, 2),
    changed(39, 0xff),
    changed(54, 32),
  ];
  for (const bytes of wrong) assert.throws(() => withoutSections(bytes), { code: 'ELF_INVALID' });
});

void test('whatever the bytes of the header, the answer is a part of the file or an error of ours', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 58, maxLength: 300 }), (bytes) => {
      const elf = Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]), bytes]);
      try {
        assert.ok(withoutSections(elf).length <= elf.length);
      } catch (error) {
        assert.ok(error instanceof ElfError);
      }
    }),
  );
});

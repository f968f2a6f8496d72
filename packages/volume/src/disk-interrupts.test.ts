import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { DiskInterrupts } from './disk-interrupts.ts';

/** A sysfs with the disk of the folder for temporary files, which has so many queues. */
function sysfs(t: TestContext, queues: number) {
  const sys = mkdtempSync(join(tmpdir(), 'sysfs-'));
  t.after(() => rmSync(sys, { recursive: true }));
  const device = join(sys, 'devices/pci0/virtio1');
  const disk = join(device, 'virtio/block/vda');
  for (let i = 0; i < queues; i++) mkdirSync(join(disk, 'mq', String(i)), { recursive: true });
  mkdirSync(join(disk, 'vda1'));
  mkdirSync(join(device, 'msi_irqs'));
  mkdirSync(join(sys, 'dev/block'), { recursive: true });
  const { dev } = statSync(sys);
  const number = `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
  // A partition lies below its disk.
  symlinkSync(join(disk, 'vda1'), join(sys, 'dev/block', number));
  const count = (interrupt: number, counts: string): void => {
    writeFileSync(join(device, 'msi_irqs', String(interrupt)), 'msix\n');
    mkdirSync(join(sys, 'kernel/irq', String(interrupt)), { recursive: true });
    writeFileSync(join(sys, 'kernel/irq', String(interrupt), 'per_cpu_count'), `${counts}\n`);
  };
  count(35, '1,0,0');
  count(36, '5000,20,0');
  return { sys, count };
}

void test('the processor is the one that gets the interrupts now, not the one that got them once', (t) => {
  const { sys, count } = sysfs(t, 1);
  const interrupts = new DiskInterrupts(sys, sys);
  assert.equal(interrupts.processor(), undefined);
  count(36, '5000,40,0');
  assert.equal(interrupts.processor(), 1);
  assert.equal(interrupts.processor(), undefined, 'none since');
  count(36, '5010,50,10');
  assert.equal(interrupts.processor(), undefined, 'no one gets most of them');
  count(36, '5100,51,10');
  assert.equal(interrupts.processor(), 0);
});

void test('a disk that tells several processors tells no one', (t) => {
  const { sys, count } = sysfs(t, 2);
  const interrupts = new DiskInterrupts(sys, sys);
  count(36, '5000,4000,0');
  assert.equal(interrupts.processor(), undefined);
});

void test('what cannot be read says nothing', (t) => {
  const { sys, count } = sysfs(t, 1);
  const interrupts = new DiskInterrupts(sys, sys);
  count(36, 'many,more');
  assert.equal(interrupts.processor(), undefined);
  assert.equal(new DiskInterrupts(join(sys, 'nowhere'), sys).processor(), undefined);
  assert.equal(new DiskInterrupts(sys, join(sys, 'nowhere')).processor(), undefined);
  assert.equal(new DiskInterrupts('/proc').processor(), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerSpec, engineCapabilities, type ContainerOptions } from './spec.ts';

const options: ContainerOptions = {
  root: '/bundle/rootfs',
  args: ['/.ensconce/runtime/bin/launch', 'a'],
  environment: ['A=b'],
  directory: '/',
  uid: 0,
  gid: 0,
  terminal: false,
  extraCapabilities: ['CAP_SYS_ADMIN'],
  fuse: true,
  mounts: [{ source: '/run/las.sock', destination: '/run/ensconce/las.sock', readOnly: false }],
  hostname: 'test',
  network: 'none',
  unmasked: true,
};

interface Spec {
  readonly process: {
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly noNewPrivileges: boolean;
    readonly capabilities: Readonly<Record<string, readonly string[]>>;
  };
  readonly mounts: readonly { readonly destination: string; readonly options?: readonly string[] }[];
  readonly linux: {
    readonly namespaces: readonly { readonly type: string }[];
    readonly devices: readonly { readonly path: string }[];
    readonly resources: { readonly devices: readonly { readonly allow: boolean; readonly access: string }[] };
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
  };
}

const spec = (changes: Partial<ContainerOptions> = {}): Spec =>
  JSON.parse(JSON.stringify(containerSpec({ ...options, ...changes }))) as Spec;

void test('root holds what engines give and what was asked for, nothing else', () => {
  const { capabilities } = spec().process;
  const wanted = [...engineCapabilities, 'CAP_SYS_ADMIN'];
  assert.deepEqual(capabilities, { bounding: wanted, effective: wanted, permitted: wanted });
});

void test('another user holds no capability, and may gain those of the bounding set by setuid programs only', () => {
  const { process } = spec({ uid: 1000, extraCapabilities: [] });
  assert.deepEqual(process.capabilities, { bounding: engineCapabilities, effective: [], permitted: [] });
  assert.equal(process.noNewPrivileges, false);
});

void test('/dev/fuse is there only where it was asked for, and devices are denied first', () => {
  assert.deepEqual(
    spec().linux.devices.map((device) => device.path),
    ['/dev/fuse'],
  );
  assert.deepEqual(spec({ fuse: false }).linux.devices, []);
  assert.deepEqual(spec().linux.resources.devices[0], { allow: false, access: 'rwm' });
});

void test('paths of the host kernel are hidden unless the runtime hides them itself', () => {
  assert.deepEqual([spec().linux.maskedPaths, spec().linux.readonlyPaths], [[], []]);
  const native = spec({ unmasked: false }).linux;
  assert.ok(native.maskedPaths.includes('/proc/kcore') && native.readonlyPaths.includes('/proc/sys'));
});

void test('mounts come after those of engines, and bring no setuid programs or devices', () => {
  const mount = spec({ mounts: options.mounts.map((one) => ({ ...one, readOnly: true })) }).mounts.at(-1);
  assert.equal(mount?.destination, '/run/ensconce/las.sock');
  assert.deepEqual(mount?.options, ['bind', 'ro', 'nosuid', 'nodev']);
});

void test('the container has namespaces of its own, for the network where asked', () => {
  const types = (changes: Partial<ContainerOptions>): string[] =>
    spec(changes).linux.namespaces.map((namespace) => namespace.type);
  assert.deepEqual(types({ network: 'none' }), ['pid', 'ipc', 'uts', 'mount', 'network']);
  assert.deepEqual(types({ network: 'host' }), ['pid', 'ipc', 'uts', 'mount']);
});

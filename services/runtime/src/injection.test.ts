import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { giveTo, injectedFiles, writeInRoot } from './injection.ts';

function image(t: TestContext): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'ensconce-injection-')));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'etc'));
  return root;
}

const base64 = (value: string | Uint8Array): string => Buffer.from(value).toString('base64');
const template = { path: '/etc/app.conf', mode: 0o400 };

void test('a template is filled in as it stands in the image, whatever bytes it has, once', (t) => {
  const root = image(t);
  const bytes = Buffer.concat([
    Buffer.from([0xff, 0x00, 0x80]),
    Buffer.from('a=$$SCONE::a:hex$$;b=$$SCONE::b.crt$$;$x$$'),
  ]);
  writeFileSync(join(root, 'etc', 'app.conf'), bytes);
  const templateValues = { 'a:hex': base64('$$SCONE::b.crt$$'), 'b.crt': base64(Uint8Array.of(0xfe)) };
  const [file] = injectedFiles(root, { injectionFiles: [template], templateValues });
  const expected = Buffer.concat([
    Buffer.from([0xff, 0x00, 0x80]),
    Buffer.from('a=$$SCONE::b.crt$$;b='),
    Buffer.from([0xfe]),
    Buffer.from(';$x$$'),
  ]);
  assert.deepEqual(Buffer.from(file?.content ?? []), expected);
});

void test('property: a file without references stays byte for byte', (t) => {
  const root = image(t);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      fc.pre(!Buffer.from(bytes).includes('$$SCONE::'));
      writeFileSync(join(root, 'etc', 'app.conf'), bytes);
      const [file] = injectedFiles(root, { injectionFiles: [template] });
      assert.deepEqual(Buffer.from(file?.content ?? []), Buffer.from(bytes));
    }),
    { numRuns: 50 },
  );
});

void test('what is not provided, not well formed or no file of the image stops the start', (t) => {
  const root = image(t);
  const refused = (message: RegExp) => (error: unknown) => {
    const { code, message: found } = error as { code: string; message: string };
    assert.equal(code, 'CONFIGURATION');
    assert.match(found, message);
    return true;
  };
  const inject = (path = template.path, templateValues = {}) =>
    injectedFiles(root, { injectionFiles: [{ path, mode: 0o700 }], templateValues });
  assert.throws(() => inject(), refused(/none that can be read/));
  assert.throws(() => inject('/etc'), refused(/another kind/));
  symlinkSync('/proc/self/environ', join(root, 'etc', 'link'));
  assert.throws(() => inject('/etc/link'), refused(/none that can be read/));
  for (const text of ['$$SCONE::secret$$', '$$SCONE::constructor$$', '$$SCONE::no end', '$$SCONE::a:raw$$']) {
    writeFileSync(join(root, 'etc', 'app.conf'), text);
    assert.throws(() => inject(template.path, { a: base64('x') }), refused(/cannot be filled in/));
  }
});

void test('a written file belongs to the user of the application, with its permission bits', (t) => {
  const root = image(t);
  const file = { path: '/new/folder/key', content: Buffer.from('secret'), mode: 0o4400 };
  writeInRoot(root, file);
  const { uid, gid } = statSync(join(root, 'new', 'folder', 'key'));
  const user = process.getuid?.() === 0 ? { uid: 1234, gid: 4321 } : { uid, gid };
  giveTo(root, file, user);
  const status = statSync(join(root, 'new', 'folder', 'key'));
  assert.deepEqual([status.uid, status.gid, status.mode & 0o7777], [user.uid, user.gid, 0o4400]);
  writeInRoot(root, { ...file, content: Buffer.from('x'), mode: 0o600 });
  assert.equal(readFileSync(join(root, 'new', 'folder', 'key'), 'utf8'), 'x');
});

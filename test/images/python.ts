/** The demo's application: Debian's python3 and a patient report over a CSV file. */
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackages, mergedUsr, packageEntries, packageFile, sorted, withEntries } from './debian.ts';
import { buildImage, type LayerRecipe, type TestImage } from './oci-layout.ts';
import { patientMarkers, patientsCsv } from './patients.ts';
import { here } from './places.ts';
import { tarEntry, writeTar } from './tar.ts';

const basePackages = (
  'base-files base-passwd libc6 libgcc-s1 libcrypt1 zlib1g dash coreutils ' +
  'libacl1 libattr1 libgmp10 libselinux1 libpcre2-8-0 tzdata netbase'
).split(' ');
const pythonPackages = (
  'libssl3 libexpat1 libffi8 libbz2-1.0 liblzma5 libsqlite3-0 libreadline8 libtinfo6 libncursesw6 libuuid1 ' +
  'readline-common media-types libpython3.11-minimal python3.11-minimal libpython3.11-stdlib python3.11 python3-minimal'
).split(' ');
/** Texts of the program, its files and its configuration. */
const reportMarkers =
  'cobalt-heron cobalt_heron Elswyth patients.csv report.py january.json vermilion-otter'.split(' ');

async function packageKey(names: readonly string[]): Promise<string> {
  return (await debianPackages(names)).map((fetched) => fetched.sha256).join(' ');
}

/** What the maintainer script of base-passwd does: the master files become /etc/passwd and /etc/group. */
export async function accountFiles(extra: {
  passwd: string;
  group: string;
}): Promise<ReturnType<typeof tarEntry>[]> {
  const passwd = await packageFile('base-passwd', 'usr/share/base-passwd/passwd.master');
  const group = await packageFile('base-passwd', 'usr/share/base-passwd/group.master');
  return [
    tarEntry({ name: 'etc/passwd', body: passwd.toString().replaceAll(':*:', ':x:') + extra.passwd }),
    tarEntry({ name: 'etc/group', body: group.toString().replaceAll(':*:', ':x:') + extra.group }),
  ];
}

/** The lowest layer: Debian without package manager, with a shell and coreutils. */
export async function debianLayer(): Promise<LayerRecipe> {
  return {
    key: `debian ${await packageKey(basePackages)}`,
    createdBy: 'ADD debian-rootfs.tar /',
    tar: async () => {
      const entries = withEntries(await packageEntries(basePackages), mergedUsr());
      return writeTar(sorted(withEntries(entries, await accountFiles({ passwd: '', group: '' }))));
    },
  };
}

/** python3, and what an earlier version of the application left behind. */
export async function pythonLayer(): Promise<LayerRecipe> {
  return {
    key: `python ${await packageKey(pythonPackages)}`,
    createdBy: 'RUN apt-get install python3',
    tar: async () => {
      const directory = { type: 'directory' } as const;
      return writeTar(
        sorted(
          withEntries(await packageEntries(pythonPackages), [
            tarEntry({ name: 'usr/local/share/report', ...directory }),
            tarEntry({ name: 'usr/local/share/report/header.txt', body: 'Saint Elswyth Hospital\n' }),
            tarEntry({
              name: 'usr/local/share/report/draft.txt',
              body: 'an old draft, deleted by the upper layer\n',
            }),
            tarEntry({ name: 'var/lib/report', ...directory }),
            tarEntry({ name: 'var/lib/report/2022.json', body: '{}\n' }),
            tarEntry({ name: 'var/lib/report/2023', ...directory }),
            tarEntry({ name: 'var/lib/report/2023/january.json', body: '{}\n' }),
          ]),
        ),
      );
    },
  };
}

export interface PythonImageOptions {
  /** A line put at the end of /app/report.py: another application layer over the same lower ones. */
  readonly edit?: string;
}

function applicationTar(source: string, accounts: readonly ReturnType<typeof tarEntry>[]): Buffer {
  const owner = { uid: 1000, gid: 1000 };
  return writeTar([
    tarEntry({ name: 'app', type: 'directory', ...owner }),
    tarEntry({ name: 'app/patients.csv', body: patientsCsv(), mode: 0o640, ...owner }),
    tarEntry({ name: 'app/report.py', body: source, ...owner }),
    ...accounts,
    tarEntry({ name: 'home/app', type: 'directory', mode: 0o700, ...owner }),
    tarEntry({ name: 'usr/local/share/report/.wh.draft.txt' }),
    tarEntry({ name: 'var/lib/report', type: 'directory', ...owner }),
    tarEntry({ name: 'var/lib/report/.wh..wh..opq' }),
    tarEntry({ name: 'var/lib/report/2024.json', body: '{}\n', ...owner }),
  ]);
}

export async function pythonImage(options: PythonImageOptions = {}): Promise<TestImage> {
  const source =
    readFileSync(join(here, 'report.py'), 'utf8') + (options.edit === undefined ? '' : `${options.edit}\n`);
  return buildImage({
    name: 'python',
    layers: [
      await debianLayer(),
      await pythonLayer(),
      {
        key: `application ${source} ${await packageKey(['base-passwd'])}`,
        createdBy: 'COPY patients.csv report.py /app/ # vermilion-otter-history',
        tar: async () =>
          applicationTar(
            source,
            await accountFiles({
              passwd: 'app:x:1000:1000:Report:/home/app:/bin/sh\n',
              group: 'app:x:1000:\n',
            }),
          ),
      },
    ],
    config: {
      User: 'app',
      WorkingDir: '/app',
      Env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'LANG=C.UTF-8', 'REPORT_TITLE=Vermilion Otter quarterly'],
      Entrypoint: ['python3', '/app/report.py'],
      Cmd: ['--by', 'ward'],
      Labels: { 'org.opencontainers.image.title': 'Patient report vermilion-otter-label' },
    },
    annotations: { 'org.opencontainers.image.description': 'vermilion-otter-annotation' },
    markers: [...patientMarkers, ...reportMarkers, 'Vermilion Otter'],
  });
}

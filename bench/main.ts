/** `npm run bench -- NAME …`: one benchmark of the table of numbers; each prints a table and writes bench/results/NAME.json. */
import { benchImage } from './image.ts';

const benches: Readonly<Record<string, (args: readonly string[]) => void | Promise<void>>> = {
  image: benchImage,
};

const [name = '', ...args] = process.argv.slice(2);
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined) {
  console.error(`bench: ${Object.keys(benches).join(' or ')} expected, ${name || 'nothing'} found`);
  process.exitCode = 2;
} else {
  await bench(args);
}

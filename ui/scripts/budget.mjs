// Fails the build when the page outgrows its download budgets (gzip bytes).
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const KIB = 1024;
const FIRST_LOAD = 110 * KIB;
const EVERYTHING = 350 * KIB;
const dist = new URL('../dist/', import.meta.url);

const size = (path) => gzipSync(readFileSync(new URL(path, dist)), { level: 9 }).length;
const html = readFileSync(new URL('index.html', dist), 'utf8');

function fail(message) {
  console.error(`budget: ${message}`);
  process.exitCode = 1;
}

if (/<style|style=|<script(?![^>]*src=)/.test(html)) fail('index.html holds something inline');
const names = readdirSync(new URL('assets/', dist));
for (const name of names) {
  if (name.endsWith('.map')) fail(`${name}: source maps are not shipped`);
  if (!/-[\w-]{8,}\.\w+$/.test(name)) fail(`${name}: no content hash in the name`);
}

const entry = [
  'index.html',
  ...[...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((match) => match[1]),
];
const first = entry.reduce((sum, path) => sum + size(path), 0);
const all = size('index.html') + names.reduce((sum, name) => sum + size(`assets/${name}`), 0);
const show = (bytes) => `${(bytes / KIB).toFixed(1)} KiB`;
console.log(
  `first load ${show(first)} of ${show(FIRST_LOAD)}, everything ${show(all)} of ${show(EVERYTHING)} (gzip)`,
);
if (first > FIRST_LOAD) fail('the first load is too big');
if (all > EVERYTHING) fail('the whole page is too big');

// Debian's Chromium, with a watch on every page: no other origin, no CSP violation, no error.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const SCREENSHOTS = fileURLToPath(new URL('screenshots/', import.meta.url));

export async function launch() {
  await mkdir(SCREENSHOTS, { recursive: true });
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
}

/** A page that `check` finds without fault at the end. */
export async function openPage(browser, origin, { width = 1280, height = 800, theme = 'dark' } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    baseURL: origin,
  });
  const page = await context.newPage();
  const faults = [];
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && url.origin !== origin) faults.push(`asked ${url.href}`);
  });
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`),
    );
  });
  return {
    page,
    faults,
    async shoot(name) {
      await page.screenshot({ path: `${SCREENSHOTS}${name}-${width}-${theme}.png` });
    },
    async check() {
      assert.deepEqual(await page.evaluate(() => globalThis.violations), [], 'CSP violations');
      assert.deepEqual(faults, [], 'faults');
    },
    close: () => context.close(),
  };
}

/** Opens a trace's address and waits for its first full painting; milliseconds since the navigation began. */
export async function openTrace(page, path) {
  await page.goto(path);
  return paintedAfter(page);
}

export async function paintedAfter(page) {
  const measure = await page.waitForFunction(
    () => performance.getEntriesByName('clew:trace-open').at(-1)?.duration,
  );
  return measure.jsonValue();
}

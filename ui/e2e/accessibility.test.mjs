// Every page, both themes, three widths: no serious finding of axe, nothing wider than the screen, no CSP violation.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { launch, openPage, paintedAfter } from './browser.mjs';
import { agentRun, conversationTurn, order, retriedRun, send, spanIdOf, traceIdOf } from './otlp.mjs';
import { startServer, until } from './server.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const trace = `/trace/${traceIdOf(0)}`;
const PAGES = [
  { name: 'home', path: '/', ready: (page) => page.getByRole('heading', { name: 'Live runs' }) },
  { name: 'traces', path: '/traces', ready: (page) => page.getByRole('grid').getByRole('row').nth(2) },
  { name: 'timeline', path: trace, ready: (page) => page.getByRole('treegrid').getByText('chat gpt-4o') },
  {
    name: 'detail',
    path: `${trace}?span=${spanIdOf(2)}`,
    ready: (page) => page.getByRole('complementary').getByText('TimeoutError'),
  },
  {
    name: 'attributes',
    path: `${trace}?span=${spanIdOf(1)}&tab=attributes`,
    ready: (page) => page.getByRole('complementary').getByText('gen_ai.request.model'),
  },
  {
    name: 'conversation',
    path: `${trace}?view=conversation`,
    ready: (page) => page.getByRole('list', { name: 'Conversation' }).getByText('I will look it up.'),
  },
  {
    name: 'run',
    path: `${trace}?view=run`,
    ready: (page) => page.getByRole('heading', { name: 'What it used' }),
  },
  {
    name: 'retries',
    path: `/trace/${traceIdOf(9)}?view=run`,
    ready: (page) => page.getByText('not counted'),
  },
  {
    name: 'sessions',
    path: '/sessions',
    ready: (page) => page.getByRole('grid', { name: 'Conversations' }).getByText('support/7'),
  },
  { name: 'session', path: '/session/support%2F7', ready: (page) => page.getByText('Answer 2') },
  {
    name: 'no-session',
    path: '/sessions?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z',
    ready: (page) => page.getByRole('heading', { name: 'No conversation in this time range' }),
  },
  {
    name: 'findings',
    path: '/findings',
    ready: (page) => page.getByRole('link', { name: 'process order' }),
  },
  {
    name: 'no-findings',
    path: '/findings?kind=clockSkew',
    ready: (page) => page.getByRole('heading', { name: 'None of this kind' }),
  },
  {
    name: 'services',
    path: `/trace/${traceIdOf(10)}`,
    ready: (page) => page.getByRole('treegrid').getByText('publish order'),
  },
  { name: 'logs', path: `${trace}?view=logs`, ready: (page) => page.getByText('No log record carries') },
  { name: 'settings', path: '/settings', ready: (page) => page.getByRole('heading', { name: 'Receivers' }) },
  {
    name: 'missing',
    path: '/traces/nowhere',
    ready: (page) => page.getByRole('heading', { name: 'no such page' }),
  },
];

let server;
let browser;
before(async () => {
  server = await startServer();
  browser = await launch();
  for (let run = 0; run < 5; run += 1) await send(server.otlp, agentRun(run));
  for (const turn of [1, 2, 3])
    await send(server.otlp, conversationTurn(5 + turn, 'support/7', turn, { content: turn < 3 }));
  await send(server.otlp, retriedRun(9));
  await send(server.otlp, order(10));
  await send(server.otlp, order(11, { lost: 12 }));
  await until(async () => {
    const answer = await (await fetch(`${server.origin}/api/v1/traces`)).json();
    return answer.traces.length === 12;
  }, 'the runs being found');
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('the page comes with a strict policy', async () => {
  for (const path of ['/', '/traces', trace, '/sessions', '/session/v1%2E2', '/findings', '/settings']) {
    const response = await fetch(server.origin + path);
    assert.equal(response.status, 200);
    const policy = response.headers.get('content-security-policy') ?? '';
    const directives = policy.split(';').map((directive) => directive.trim());
    for (const wanted of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      'trusted-types svelte-trusted-html',
    ]) {
      assert.ok(directives.includes(wanted), `${path}: ${wanted} is not in "${policy}"`);
    }
    assert.doesNotMatch(policy, /unsafe|\*/);
  }
});

for (const theme of ['dark', 'light']) {
  for (const [width, height] of [
    [390, 844],
    [1280, 800],
    [1920, 1080],
  ]) {
    test(`${theme} at ${width}`, async (context) => {
      const { page, faults, shoot, check, close } = await openPage(browser, server.origin, {
        width,
        height,
        theme,
      });
      for (const { name, path, ready } of PAGES) {
        await context.test(name, async () => {
          await page.goto(path);
          await ready(page).first().waitFor();
          if (name === 'timeline') await paintedAfter(page);
          await shoot(name);
          await page.evaluate(axe);
          const { violations } = await page.evaluate(() => globalThis.axe.run());
          const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
          const told = serious.map(
            ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
          );
          assert.deepEqual(told, []);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(overflow <= 0, `${overflow} px wider than the screen`);
          await check();
        });
        faults.length = 0;
      }
      await close();
    });
  }
}

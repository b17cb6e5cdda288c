// What is wrong with traces themselves, and what a trace's header says of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, openTrace } from './browser.mjs';
import { agentRun, order, send, spanIdOf, traceIdOf } from './otlp.mjs';
import { startServer } from './server.mjs';

let server;
let browser;
before(async () => {
  server = await startServer();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('it teaches, then lists what broke, and leads there', async () => {
  const { page, shoot, check, close } = await openPage(browser, server.origin);
  await page.goto('/');
  await page.getByRole('link', { name: 'Findings' }).click();
  await page.waitForURL('**/findings');
  await page.getByRole('heading', { name: 'No spans yet' }).waitFor();
  await page.getByText('messages that were received without the context').waitFor();
  await shoot('findings-nothing-yet');

  // Answers are for what was acknowledged; the page follows by itself.
  for (let trace = 0; trace < 4; trace += 1) await send(server.otlp, order(trace));
  await page.getByRole('heading', { name: 'Nothing is wrong with these traces' }).waitFor();
  await shoot('findings-healthy');
  await send(server.otlp, order(4, { lost: 5 }));
  const card = page.getByRole('article').filter({ hasText: 'process order' });
  await card.getByText('it received a message, but has neither a parent nor a link').waitFor();
  await card.getByText('mailer').waitFor();
  await card.getByText('1 of 5 spans').waitFor();
  await page.getByRole('tab', { name: 'Broken chains 1' }).click();
  await page.waitForURL(/kind=brokenChain/);
  await card.waitFor();
  await shoot('findings-broken');
  await page.getByRole('tab', { name: 'Orphans' }).click();
  await page.getByRole('heading', { name: 'None of this kind' }).waitFor();
  await page.getByRole('tab', { name: 'All' }).click();
  await card.getByRole('link', { name: 'process order' }).click();
  await page.waitForURL(`**/trace/${traceIdOf(5)}?span=${spanIdOf(3)}**`);
  await page.getByRole('treegrid').getByText('process order').waitFor();
  await page.goBack();
  await card.waitFor();
  await check();
  await close();
});

test('a trace says how many services it went through, and how it ended', async () => {
  const { page, check, close } = await openPage(browser, server.origin);
  await send(server.otlp, order(20));
  await send(server.otlp, agentRun(21));
  const facts = async (trace) => {
    await openTrace(page, `/trace/${traceIdOf(trace)}`);
    const pairs = await page
      .locator('main dl div')
      .evaluateAll((all) => all.map((each) => [...each.children].map((child) => child.textContent)));
    return Object.fromEntries(pairs);
  };
  const healthy = await facts(20);
  assert.deepEqual([healthy.Services, healthy.Spans, healthy.Status], ['3', '4', 'Success']);
  const failed = await facts(21);
  assert.deepEqual([failed.Services, failed.Spans, failed.Status], ['1', '3', 'Error']);
  await check();
  await close();
});

// Search, a trace, a span, and back to where one was.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, openTrace, paintedAfter } from './browser.mjs';
import { agentRun, send, spanIdOf, traceIdOf } from './otlp.mjs';
import { startServer, until } from './server.mjs';

const RUNS = 60;
let server;
let browser;
before(async () => {
  server = await startServer();
  browser = await launch();
  for (let run = 0; run < RUNS; run += 1) {
    const name = run % 2 === 0 ? 'invoke_agent planner' : 'invoke_agent auditor';
    await send(server.otlp, agentRun(run, { name, ago: BigInt(run) * 1_000_000_000n }));
  }
  await until(async () => {
    const answer = await (await fetch(`${server.origin}/api/v1/traces?limit=200`)).json();
    return answer.traces.length === RUNS;
  }, 'all runs being found');
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('search, trace, span, back', async () => {
  const { page, shoot, check, close } = await openPage(browser, server.origin);
  await page.goto('/traces?live=0');
  const grid = page.getByRole('grid', { name: 'Traces' });
  await grid.getByRole('row').nth(5).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('name:auditor');
  await page.keyboard.press('Enter');
  await page.waitForURL(/q=name/);
  await page.getByText(`${RUNS / 2} traces`).waitFor();
  await grid.evaluate((box) => (box.scrollTop = 320));
  const scrollTop = await grid.evaluate((box) => box.scrollTop);
  assert.ok(scrollTop > 100);
  const id = traceIdOf(31);
  await grid.locator(`#trace-${id}`).click();
  await page.waitForURL(`**/trace/${id}**`);
  await paintedAfter(page);
  await page.getByRole('treegrid').getByText('execute_tool lookup_order').click();
  const details = page.getByRole('complementary', { name: 'Selected span' });
  await details.getByText('TimeoutError').waitFor();
  await details.getByText('no answer after 500 ms').waitFor();
  await page.waitForURL(new RegExp(`span=${spanIdOf(2)}`));
  await shoot('search-span');
  await page.goBack();
  await grid.locator(`#trace-${id}[aria-selected=true]`).waitFor();
  assert.equal(await grid.evaluate((box) => box.scrollTop), scrollTop);
  assert.equal(await page.getByRole('combobox', { name: 'Query' }).inputValue(), 'name:auditor');
  await check();
  await close();
});

test('an invalid query says where it is wrong and does not run', async () => {
  const { page, shoot, check, close } = await openPage(browser, server.origin);
  await page.goto('/traces?live=0');
  await page.getByRole('grid').getByRole('row').nth(5).waitFor();
  await page.getByRole('combobox', { name: 'Query' }).fill('kind:tool (');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  assert.match(await page.getByRole('alert').innerText(), /at character/);
  assert.doesNotMatch(page.url(), /q=/);
  await shoot('invalid-query');
  await check();
  await close();
});

test('nothing found names the guilty term and offers a way out', async () => {
  const { page, shoot, check, close } = await openPage(browser, server.origin);
  await page.goto(`/traces?q=${encodeURIComponent('kind:tool name:nowhere')}`);
  await page.getByRole('heading', { name: 'No trace matches' }).waitFor();
  const guilty = page.getByRole('listitem').filter({ hasText: 'name:nowhere' });
  await guilty.getByText('no trace').waitFor();
  await shoot('no-results');
  await guilty.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('grid').getByRole('row').nth(3).waitFor();
  await check();
  await close();
});

test('a new trace comes in live', async () => {
  const { page, check, close } = await openPage(browser, server.origin);
  await page.goto('/traces?from=now-1h');
  const grid = page.getByRole('grid', { name: 'Traces' });
  await grid.getByRole('row').nth(5).waitFor();
  await page.waitForFunction(() => document.querySelector('.dot.ok'));
  await send(server.otlp, agentRun(500, { name: 'invoke_agent newcomer' }));
  await grid.getByText('invoke_agent newcomer').waitFor({ timeout: 5000 });
  await check();
  await close();
});

test('the trace page by keyboard alone', async () => {
  const { page, shoot, check, close } = await openPage(browser, server.origin);
  await openTrace(page, `/trace/${traceIdOf(3)}`);
  await page.keyboard.press('e');
  const failed = page.getByRole('row', { name: /lookup_order.*failed/, selected: true });
  await failed.waitFor();
  await page.getByRole('treegrid').focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowLeft');
  await page.getByRole('row', { expanded: false, selected: true }).waitFor();
  assert.equal(await page.getByRole('treegrid').getByRole('row').count(), 2);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('f');
  await page.keyboard.type('gpt');
  await page.keyboard.press('Enter');
  await page.getByRole('row', { name: /chat gpt-4o/, selected: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('2');
  await page.getByRole('list', { name: 'Conversation' }).getByText('Refund order 3').first().waitFor();
  await shoot('conversation');
  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('Next error').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await page.keyboard.press('t');
  await page.waitForURL('**/traces');
  await check();
  await close();
});

test('on a narrow window the details are a sheet at the bottom, all of it on screen', async () => {
  const { page, shoot, check, close } = await openPage(browser, server.origin, { width: 900 });
  await openTrace(page, `/trace/${traceIdOf(5)}?span=${spanIdOf(1)}`);
  const details = page.getByRole('complementary', { name: 'Selected span' });
  await details.getByText('gpt-4o').first().waitFor();
  const box = await details.boundingBox();
  assert.ok(box.height > 200 && box.y > 200 && box.y + box.height <= 800, JSON.stringify(box));
  await shoot('bottom-sheet');
  await check();
  await close();
});

test('late spans join an open trace without moving the selected row', async () => {
  const { page, check, close } = await openPage(browser, server.origin);
  await openTrace(page, `/trace/${traceIdOf(4)}?span=${spanIdOf(2)}`);
  const row = page.getByRole('row', { name: /lookup_order/, selected: true });
  await row.waitFor();
  const late = agentRun(4);
  const [spans] = late.resourceSpans[0].scopeSpans.map((scope) => scope.spans);
  spans.splice(0, 2);
  Object.assign(spans[0], { spanId: spanIdOf(90), parentSpanId: spanIdOf(0), name: 'late arrival' });
  await page.waitForFunction(() => document.querySelector('.dot.ok'));
  await send(server.otlp, late);
  await page.getByRole('treegrid').getByText('late arrival').waitFor({ timeout: 5000 });
  await row.waitFor();
  await check();
  await close();
});

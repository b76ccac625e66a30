/** Waits for pictures that are on their way, and for movements to come to their end: until then each look would see something else. */
export async function settled(page) {
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter((one) => one.effect?.getComputedTiming().iterations === 1)
        .map((one) => one.finished.catch(() => {})),
    ),
  );
}

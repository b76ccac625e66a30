/** How a picture lies in its frame: scale 1 fits it in, x and y move its middle, in pixels. */
export interface Pose {
  scale: number;
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

export const fitted: Pose = { scale: 1, x: 0, y: 0 };

/** The size at which a picture fits into a frame; never larger than it is. */
export function fitInto(picture: Size, frame: Size): Size {
  const factor = Math.min(1, frame.width / picture.width, frame.height / picture.height);
  return { width: picture.width * factor, height: picture.height * factor };
}

/** The largest scale that makes sense: twice the picture's own pixels, and at least three times the fitted size. */
export function largestScale(picture: Size, shown: Size): number {
  return Math.max(3, (2 * picture.width) / Math.max(1, shown.width));
}

const clamp = (value: number, most: number) => Math.min(most, Math.max(-most, value)) || 0;

/** Keeps the picture over the frame's middle: it cannot be moved further than it reaches beyond the frame. */
export function bound(pose: Pose, shown: Size, frame: Size, largest: number): Pose {
  const scale = Math.min(largest, Math.max(1, pose.scale));
  return {
    scale,
    x: clamp(pose.x, Math.max(0, (shown.width * scale - frame.width) / 2)),
    y: clamp(pose.y, Math.max(0, (shown.height * scale - frame.height) / 2)),
  };
}

/** Scales by `factor` so that the point under the pointer (from the frame's middle) stays where it is. */
export function zoomAt(pose: Pose, factor: number, point: { x: number; y: number }, largest: number): Pose {
  const scale = Math.min(largest, Math.max(1, pose.scale * factor));
  const by = scale / pose.scale;
  return { scale, x: point.x - (point.x - pose.x) * by, y: point.y - (point.y - pose.y) * by };
}

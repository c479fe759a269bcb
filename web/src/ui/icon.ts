// Small icons of 24 x 24, drawn by strokes in the colour of the text.
import { h, type Node } from "./dom.ts";

const paths = {
  home: "M4 11 12 4l8 7v8.5a.5.5 0 0 1-.5.5H15v-6H9v6H4.500a.5.5 0 0 1-.5-.5z",
  activity: "M4 6h16M4 12h16M4 18h10",
  computers: "M5 5h14v10H5zM2.5 19h19M10 15v4M14 15v4",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.500v5M9 14.500v5",
  key: "M7.5 8a4 4 0 1 0 0 8 4 4 0 1 0 0-8zM11.5 12H21v3.500M17 12v2.5",
  logo: "M12 2.5l4.5 2.600v5.200l-3.3 1.900v8.600l-1.2.7-1.2-.7v-8.600L7.5 10.300V5.100zM12 6l1.8 1v2.100l-1.8 1-1.8-1V7zM13.2 14.800h2.500M13.2 18.200h1.9",
  proved: "M12 3l7 2.500v5.500c0 4.5-3 8-7 10-4-2-7-5.5-7-10V5.500zM8.5 12l2.5 2.5 4.5-5",
  vouched: "M12 3l7 2.500v5.500c0 4.5-3 8-7 10-4-2-7-5.5-7-10V5.500z",
  bound: "M9.5 14.500l5-5M8 11l-2 2a3.5 3.5 0 0 0 5 5l2-2M16 13l2-2a3.5 3.5 0 0 0-5-5l-2 2",
  reported: "M4 5h16v11h-9l-4 4v-4H4z",
  unknown: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18zM9.5 9.500c0-3.3 5-3.3 5 0 0 2-2.5 2-2.5 4M12 16.700v.1",
  pin: "M9 4h6l-1 6 3 3.500H7L10 10zM12 13.500V20",
  alert: "M12 4 2.5 20h19zM12 10v5M12 17.400v.1",
  check: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18zM8 12l3 3 5-6",
  no: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18zM8.5 8.500l7 7M15.5 8.500l-7 7",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18zM12 7v5l3 2",
  forward: "M4 7h9a4 4 0 0 1 4 4v7M13 14l4 4 4-4",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  share: "M12 15V4M8 7.5 12 4l4 3.500M6 11H5v9h14v-9h-1",
  qr: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h3v3h-3zM20 14v3M17 20h3",
  camera: "M4 7h4l1.5-2h5L16 7h4v12H4zM12 9.500a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7z",
  link: "M9.5 14.500l5-5M8 11l-2 2a3.5 3.5 0 0 0 5 5l2-2M16 13l2-2a3.5 3.5 0 0 0-5-5l-2 2",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.500 0 0 1 7 0v3",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  sign: "M4 19c3-6 5-12 7-12s-1 8 1 8 2-3 4-3 1 3 4 3M4 21h16",
  bell: "M6.5 17v-6a5.5 5.500 0 0 1 11 0v6l1.5 1.500H5zM12 3v2.500M10.5 21h3",
  bluetooth: "M7 8l10 8-5 4V4l5 4L7 16",
  phone: "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2",
} as const;

export type IconName = keyof typeof paths;

/** icon is decoration: words beside it say the same. */
export function icon(name: IconName, className = ""): Node {
  return h("svg", { class: `icon ${className}`, viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, h("path", { d: paths[name] }));
}

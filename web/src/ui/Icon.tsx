/** Line icons, decorative: the control around an icon carries its name. */
const paths = {
  sun: "M12 7a5 5 0 1 0 0 10a5 5 0 0 0 0-10M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  moon: "M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z",
  leave: "M10 4H5v16h5M10 12h11M17 8l4 4l-4 4",
  person: "M12 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8M4.5 20.5a7.5 7.5 0 0 1 15 0",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13M15.5 15.5L21 21",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M4 12.5l5.5 5.5L20 7",
  plus: "M12 5v14M5 12h14",
  back: "M15 5l-7 7l7 7",
  down: "M6 9l6 6l6-6",
  close: "M6 6l12 12M18 6L6 18",
  clock: "M12 4a8 8 0 1 0 0 16a8 8 0 0 0 0-16M12 8v4.5l3 2",
  pencil: "M4 20l1-4L16.5 4.5l3 3L8 19zM14.5 6.5l3 3",
  key: "M8 12a4 4 0 1 0 0 8a4 4 0 0 0 0-8M11 13L20 4M16 8l3 3",
  pause: "M9 5v14M15 5v14",
  play: "M7 5l12 7l-12 7z",
  settings:
    "M4 7h10M18 7h2M4 17h2M10 17h10M16 4.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 0 0 0-5M8 14.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 0 0 0-5",
  devices: "M5 4h14v6H5zM5 14h14v6H5zM8.5 7v.1M8.5 17v.1",
  dashboards: "M4 4h7v9H4zM15 4h5v5h-5zM15 13h5v7h-5zM4 17h7v3H4z",
  books: "M5 4h12a2 2 0 0 1 2 2v14H7a2 2 0 0 1-2-2zM9 9h6M9 13h6",
  deadLetters: "M4 6h16v12H4zM4 7l8 6l8-6",
  administration: "M12 3l7 3v5.5c0 4.5-3 7.7-7 9.5c-4-1.8-7-5-7-9.5V6zM9 12l2 2l4-4",
  audit: "M8 6h12M8 12h12M8 18h12M4 6v.1M4 12v.1M4 18v.1",
  warning: "M12 4L2.5 20h19zM12 10v4.5M12 17.4v.1",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      viewBox="0 0 24 24"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      strokeWidth={1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      className="icon"
    >
      <path d={paths[name]} />
    </svg>
  );
}

export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true" className="icon">
      <rect width="32" height="32" rx="7" className="logo-ground" />
      <path
        d="M5 20h5l3-10 5 14 3-9 2 5h4"
        fill="none"
        stroke="#fff"
        strokeWidth="2.4"
        strokeLinejoin="round"
        strokeLinecap="round"
      />
    </svg>
  );
}

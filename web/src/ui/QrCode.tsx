import { encode } from "uqr";

/** A QR code (ISO/IEC 18004) as one path, dark on white in every scheme: cameras want it so. */
export function QrCode({ text, label, size = 176 }: { text: string; label: string; size?: number }) {
  const code = encode(text, { border: 2, ecc: "M" });
  const path = code.data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join("");
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${code.size} ${code.size}`}
      width={size}
      height={size}
      shapeRendering="crispEdges"
    >
      <rect width="100%" height="100%" fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}

import type { TFunction } from "i18next";
import { memo } from "react";
import { useSparkline } from "../../api/fleet";
import { formatReading } from "../../ui/format";
import { shapeOf } from "./sparkPath";

const WIDTH = 120;
const HEIGHT = 30;

/** The last 24 hours of a device in one small shape. */
export const Sparkline = memo(function Sparkline(props: {
  t: TFunction<"fleet">;
  deviceId: string;
  type: string | null;
}) {
  const { t, deviceId, type } = props;
  const { data, isPending } = useSparkline(deviceId, type);
  if (isPending) return <span className="spark spark-waiting" />;
  const shape = data && shapeOf(data.min, data.max, WIDTH, HEIGHT);
  if (!data || !shape) return <span className="spark muted none">–</span>;
  const range = t("spark.range", {
    type: data.type,
    low: formatReading(shape.low, data.unit),
    high: formatReading(shape.high, data.unit),
  });
  const title = shape.gaps > 0 ? `${range}, ${t("spark.gaps", { count: shape.gaps })}` : range;
  return (
    <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={title} data-testid="sparkline">
      <title>{title}</title>
      <path d={shape.path} />
    </svg>
  );
});

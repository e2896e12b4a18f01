"""Product pictures drawn with cairo: silhouette, pattern, material, light.

Every type is a short function that draws shapes on the unit square (y down). Painter.body() fills one with the
product's colour, its pattern and its material, shaded from the side the light comes from; the other calls add
seams, soles, buttons. A view turns, shifts, scales and mirrors the whole. All randomness comes from one seed.
"""
import math
import random

import cairo

from products import COLOURS


def mix(a, b, t):
    return tuple(x * (1 - t) + y * t for x, y in zip(a, b))


def luminance(c):
    return 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]


class Painter:
    def __init__(self, ctx, colour, pattern, material, rng):
        self.c, self.rng = ctx, rng
        self.rgb = tuple(min(1, max(0, x + rng.uniform(-0.035, 0.035))) for x in COLOURS[colour][0])
        self.pattern, self.material = pattern, material
        dark = luminance(self.rgb) < 0.25
        self.line_rgb = mix(self.rgb, (1, 1, 1), 0.3) if dark else mix(self.rgb, (0, 0, 0), 0.45)
        # What a pattern is drawn in: white on colours, a blue-grey on light ones.
        light = luminance(self.rgb) > 0.72
        self.second = (0.25, 0.30, 0.42) if light else (0.97, 0.97, 0.95)
        self.phase = rng.random()

    # -- paths

    def trace(self, points, smooth=True, close=True):
        c, n = self.c, len(points)
        c.new_path()
        c.move_to(*points[0])
        if not smooth:
            for p in points[1:]:
                c.line_to(*p)
        else:
            last = n if close else n - 1
            for i in range(last):
                p0, p1 = points[(i - 1) % n if close else max(i - 1, 0)], points[i % n]
                p2, p3 = points[(i + 1) % n], points[(i + 2) % n if close else min(i + 2, n - 1)]
                k = 1 / 6
                c.curve_to(p1[0] + (p2[0] - p0[0]) * k, p1[1] + (p2[1] - p0[1]) * k,
                           p2[0] - (p3[0] - p1[0]) * k, p2[1] - (p3[1] - p1[1]) * k, *p2)
        if close:
            c.close_path()

    def stroke(self, points, width=0.006, rgb=None, smooth=True, close=False, dash=None, alpha=1.0):
        c = self.c
        self.trace(points, smooth, close)
        c.set_source_rgba(*(rgb or self.line_rgb), alpha)
        c.set_line_width(width)
        c.set_line_cap(cairo.LINE_CAP_ROUND)
        c.set_line_join(cairo.LINE_JOIN_ROUND)
        c.set_dash(dash or [])
        c.stroke()
        c.set_dash([])

    def fill(self, points, rgb, smooth=True, outline=True):
        self.trace(points, smooth)
        self.c.set_source_rgb(*rgb)
        self.c.fill_preserve()
        if outline:
            self.c.set_source_rgba(*mix(rgb, (0, 0, 0), 0.4), 0.8)
            self.c.set_line_width(0.005)
            self.c.stroke()
        self.c.new_path()

    def disc(self, x, y, r, rgb, outline=False):
        self.c.new_path()
        self.c.arc(x, y, r, 0, 2 * math.pi)
        self.c.set_source_rgb(*rgb)
        self.c.fill_preserve()
        if outline:
            self.c.set_source_rgb(*mix(rgb, (0, 0, 0), 0.45))
            self.c.set_line_width(0.005)
            self.c.stroke()
        self.c.new_path()

    # -- the product's own surface

    def body(self, points, smooth=True, shade=0.0, plain=False):
        c = self.c
        self.trace(points, smooth)
        path = c.copy_path()
        c.save()
        c.clip()
        base = mix(self.rgb, (0, 0, 0), shade)
        c.set_source_rgb(*base)
        c.paint()
        if not plain:
            getattr(self, "pattern_" + self.pattern)()
        getattr(self, "material_" + self.material)()
        self.light()
        c.restore()
        c.new_path()
        c.append_path(path)
        c.set_source_rgba(*self.line_rgb, 0.9)
        c.set_line_width(0.006)
        c.set_line_join(cairo.LINE_JOIN_ROUND)
        c.stroke()

    def light(self):
        g = cairo.LinearGradient(0.15, 0.1, 0.9, 0.95)
        g.add_color_stop_rgba(0, 1, 1, 1, 0.20)
        g.add_color_stop_rgba(0.45, 1, 1, 1, 0.0)
        g.add_color_stop_rgba(1, 0, 0, 0, 0.24)
        self.c.set_source(g)
        self.c.paint()

    def pattern_plain(self):
        pass

    def pattern_striped(self):
        c, step = self.c, 0.075
        c.set_source_rgb(*self.second)
        for i in range(-1, 15):
            c.rectangle(-0.1, (i + self.phase) * step, 1.2, step * 0.42)
        c.fill()

    def pattern_dotted(self):
        c, step = self.c, 0.085
        c.set_source_rgb(*self.second)
        for i in range(-1, 14):
            for j in range(-1, 14):
                x, y = (i + 0.5 * (j % 2)) * step, (j + self.phase) * step
                c.new_sub_path()
                c.arc(x, y, step * 0.24, 0, 2 * math.pi)
        c.fill()

    def pattern_checked(self):
        c, step = self.c, 0.115
        for vertical in (0, 1):
            c.set_source_rgba(*self.second, 0.55)
            for i in range(-1, 11):
                at = (i + self.phase) * step
                c.rectangle(*((at, -0.1, step * 0.5, 1.2) if vertical else (-0.1, at, 1.2, step * 0.5)))
            c.fill()
        c.set_source_rgba(0.1, 0.1, 0.12, 0.5)
        for i in range(-1, 11):
            at = (i + self.phase + 0.74) * step
            c.rectangle(at, -0.1, step * 0.05, 1.2)
            c.rectangle(-0.1, at, 1.2, step * 0.05)
        c.fill()

    def pattern_floral(self):
        c, step = self.c, 0.125
        petals = self.second
        heart = (0.98, 0.75, 0.15) if luminance(mix(petals, (0.98, 0.75, 0.15), 0.5)) > 0.4 else (0.9, 0.2, 0.3)
        for i in range(-1, 10):
            for j in range(-1, 10):
                x, y = (i + 0.5 * (j % 2) + self.phase) * step, (j + self.phase) * step
                turn = (i * 7 + j * 3) % 5
                c.set_source_rgb(*petals)
                for k in range(5):
                    a = turn + k * 2 * math.pi / 5
                    c.new_sub_path()
                    c.arc(x + 0.021 * math.cos(a), y + 0.021 * math.sin(a), 0.017, 0, 2 * math.pi)
                c.fill()
                c.set_source_rgb(*heart)
                c.arc(x, y, 0.013, 0, 2 * math.pi)
                c.fill()

    def material_cotton(self):
        pass

    def material_plastic(self):
        pass

    def material_wool(self):
        c, step = self.c, 0.034
        rgb = mix(self.rgb, (1, 1, 1), 0.35) if luminance(self.rgb) < 0.5 else mix(self.rgb, (0, 0, 0), 0.35)
        c.set_source_rgba(*rgb, 0.75)
        c.set_line_width(0.008)
        for i in range(-1, 32):
            for j in range(-1, 32):
                x, y = i * step, j * step
                c.move_to(x, y)
                c.line_to(x + step / 2, y + step * 0.6)
                c.line_to(x + step, y)
        c.stroke()

    def material_leather(self):
        c = self.c
        for at, width, alpha in ((0.30, 0.10, 0.60), (0.47, 0.035, 0.45), (0.74, 0.06, 0.30)):
            g = cairo.LinearGradient(at - width, 0, at + width, 0.25)
            g.add_color_stop_rgba(0, 1, 1, 1, 0)
            g.add_color_stop_rgba(0.5, 1, 1, 1, alpha)
            g.add_color_stop_rgba(1, 1, 1, 1, 0)
            c.set_source(g)
            c.paint()

    def material_canvas(self):
        c, step = self.c, 0.024
        rgb = mix(self.rgb, (1, 1, 1), 0.4) if luminance(self.rgb) < 0.5 else mix(self.rgb, (0, 0, 0), 0.32)
        c.set_source_rgba(*rgb, 0.6)
        c.set_line_width(0.006)
        for i in range(-1, 44):
            c.move_to(i * step, -0.1)
            c.line_to(i * step, 1.1)
            c.move_to(-0.1, i * step)
            c.line_to(1.1, i * step)
        c.stroke()

    def material_denim(self):
        c, step = self.c, 0.026
        c.set_source_rgba(*mix(self.rgb, (1, 1, 1), 0.55), 0.5)
        c.set_line_width(0.007)
        for i in range(-42, 42):
            c.move_to(i * step, -0.1)
            c.line_to(i * step + 1.2, 1.1)
        c.stroke()

    def seam(self, points, smooth=True):
        """A seam; on denim the yellow double stitching that everybody knows."""
        if self.material == "denim":
            self.stroke(points, 0.010, (0.93, 0.62, 0.16), smooth, dash=[0.018, 0.012])
        else:
            self.stroke(points, 0.005, smooth=smooth, alpha=0.8)


def mirrored(half):
    """Right half of an outline, top to bottom -> the whole outline."""
    return half + [(1 - x, y) for x, y in reversed(half)]


# ---- the types

def t_shirt(p):
    p.body([(0.40, 0.16), (0.22, 0.22), (0.05, 0.40), (0.17, 0.51), (0.26, 0.43), (0.26, 0.86), (0.74, 0.86), (0.74, 0.43),
            (0.83, 0.51), (0.95, 0.40), (0.78, 0.22), (0.60, 0.16), (0.56, 0.21), (0.50, 0.23), (0.44, 0.21)], smooth=False)
    p.stroke([(0.40, 0.16), (0.44, 0.23), (0.50, 0.26), (0.56, 0.23), (0.60, 0.16)], 0.012)
    p.seam([(0.07, 0.385), (0.19, 0.49)])
    p.seam([(0.93, 0.385), (0.81, 0.49)])
    p.seam([(0.26, 0.835), (0.74, 0.835)])


def shirt(p):
    p.body([(0.40, 0.14), (0.23, 0.20), (0.08, 0.66), (0.19, 0.71), (0.28, 0.46), (0.27, 0.88), (0.50, 0.91), (0.73, 0.88),
            (0.72, 0.46), (0.81, 0.71), (0.92, 0.66), (0.77, 0.20), (0.60, 0.14)], smooth=False)
    p.fill([(0.40, 0.13), (0.50, 0.22), (0.43, 0.30), (0.34, 0.17)], mix(p.rgb, (1, 1, 1), 0.25), smooth=False)
    p.fill([(0.60, 0.13), (0.50, 0.22), (0.57, 0.30), (0.66, 0.17)], mix(p.rgb, (1, 1, 1), 0.25), smooth=False)
    p.seam([(0.50, 0.24), (0.50, 0.90)])
    for y in (0.32, 0.43, 0.54, 0.65, 0.76):
        p.disc(0.52, y, 0.011, (0.95, 0.95, 0.92), True)
    p.seam([(0.58, 0.38), (0.69, 0.38), (0.69, 0.49), (0.635, 0.52), (0.58, 0.49), (0.58, 0.38)], smooth=False)
    p.seam([(0.09, 0.62), (0.20, 0.665)])
    p.seam([(0.91, 0.62), (0.80, 0.665)])


def sweater(p):
    p.body([(0.39, 0.15), (0.24, 0.20), (0.12, 0.42), (0.06, 0.74), (0.17, 0.77), (0.27, 0.50), (0.26, 0.86), (0.74, 0.86),
            (0.73, 0.50), (0.83, 0.77), (0.94, 0.74), (0.88, 0.42), (0.76, 0.20), (0.61, 0.15), (0.50, 0.19)], smooth=False)
    p.stroke([(0.39, 0.15), (0.43, 0.21), (0.50, 0.23), (0.57, 0.21), (0.61, 0.15)], 0.022)
    for i in range(12):
        x = 0.27 + i * 0.042
        p.stroke([(x, 0.80), (x, 0.855)], 0.008)
    for i in range(4):
        p.stroke([(0.072 + i * 0.028, 0.69 + i * 0.008), (0.068 + i * 0.028, 0.745 + i * 0.008)], 0.008)
        p.stroke([(0.928 - i * 0.028, 0.69 + i * 0.008), (0.932 - i * 0.028, 0.745 + i * 0.008)], 0.008)


def hoodie(p):
    p.body([(0.37, 0.24), (0.36, 0.10), (0.50, 0.05), (0.64, 0.10), (0.63, 0.24), (0.50, 0.34)], shade=0.25, plain=True)
    p.body([(0.37, 0.21), (0.23, 0.27), (0.12, 0.48), (0.07, 0.78), (0.18, 0.81), (0.27, 0.56), (0.26, 0.90), (0.74, 0.90),
            (0.73, 0.56), (0.82, 0.81), (0.93, 0.78), (0.88, 0.48), (0.77, 0.27), (0.63, 0.21), (0.50, 0.34)], smooth=False)
    p.seam([(0.37, 0.62), (0.63, 0.62), (0.70, 0.80), (0.30, 0.80), (0.37, 0.62)], smooth=False)
    p.stroke([(0.46, 0.31), (0.45, 0.47)], 0.012, (0.97, 0.97, 0.95))
    p.stroke([(0.54, 0.31), (0.55, 0.49)], 0.012, (0.97, 0.97, 0.95))
    p.stroke([(0.27, 0.86), (0.73, 0.86)], 0.010)


def dress(p):
    p.body([(0.40, 0.07), (0.38, 0.20), (0.33, 0.28), (0.40, 0.45), (0.18, 0.92), (0.50, 0.96), (0.82, 0.92), (0.60, 0.45),
            (0.67, 0.28), (0.62, 0.20), (0.60, 0.07), (0.56, 0.07), (0.55, 0.18), (0.50, 0.21), (0.45, 0.18), (0.44, 0.07)],
           smooth=False)
    p.stroke([(0.40, 0.45), (0.50, 0.465), (0.60, 0.45)], 0.022)
    for x0, x1 in ((0.46, 0.36), (0.50, 0.50), (0.54, 0.64)):
        p.stroke([(x0, 0.50), (x1, 0.92)], 0.005, alpha=0.7)


def skirt(p):
    p.body([(0.34, 0.22), (0.66, 0.22), (0.86, 0.80), (0.50, 0.85), (0.14, 0.80)], smooth=False)
    p.body([(0.335, 0.16), (0.665, 0.16), (0.67, 0.235), (0.33, 0.235)], smooth=False, shade=0.2, plain=True)
    for x0, x1 in ((0.42, 0.33), (0.50, 0.50), (0.58, 0.67)):
        p.seam([(x0, 0.25), (x1, 0.81)])


def legs(p, bottom, flare):
    p.body([(0.32, 0.08), (0.68, 0.08), (0.74 + flare, bottom), (0.55 + flare, bottom), (0.50, 0.34), (0.45 - flare, bottom),
            (0.26 - flare, bottom)], smooth=False)
    p.body([(0.315, 0.05), (0.685, 0.05), (0.69, 0.115), (0.31, 0.115)], smooth=False, shade=0.2, plain=True)
    p.seam([(0.50, 0.11), (0.50, 0.33)])
    p.seam([(0.33, 0.22), (0.40, 0.19), (0.43, 0.12)])
    p.seam([(0.67, 0.22), (0.60, 0.19), (0.57, 0.12)])
    p.disc(0.50, 0.083, 0.013, (0.85, 0.75, 0.45), True)


def trousers(p):
    legs(p, 0.95, 0.0)
    p.stroke([(0.39, 0.36), (0.36, 0.94)], 0.004, alpha=0.6)
    p.stroke([(0.61, 0.36), (0.64, 0.94)], 0.004, alpha=0.6)


def shorts(p):
    legs(p, 0.62, 0.06)
    p.seam([(0.205, 0.585), (0.385, 0.60)])
    p.seam([(0.795, 0.585), (0.615, 0.60)])


def jacket(p):
    p.body([(0.39, 0.13), (0.22, 0.20), (0.09, 0.70), (0.21, 0.74), (0.28, 0.48), (0.27, 0.80), (0.73, 0.80), (0.72, 0.48),
            (0.79, 0.74), (0.91, 0.70), (0.78, 0.20), (0.61, 0.13)], smooth=False)
    p.fill([(0.45, 0.13), (0.55, 0.13), (0.50, 0.36)], (0.93, 0.93, 0.92), smooth=False)
    p.body([(0.39, 0.12), (0.46, 0.13), (0.49, 0.37), (0.36, 0.29)], smooth=False, shade=0.2)
    p.body([(0.61, 0.12), (0.54, 0.13), (0.51, 0.37), (0.64, 0.29)], smooth=False, shade=0.2)
    p.stroke([(0.50, 0.36), (0.50, 0.80)], 0.014, (0.75, 0.75, 0.78))
    p.stroke([(0.50, 0.36), (0.50, 0.80)], 0.005, (0.3, 0.3, 0.32), dash=[0.01, 0.01])
    for side in (-1, 1):
        p.seam([(0.50 + side * 0.10, 0.60), (0.50 + side * 0.17, 0.52)])
        p.seam([(0.50 + side * 0.22, 0.745), (0.50 + side * 0.03, 0.745)])


def coat(p):
    p.body([(0.39, 0.07), (0.24, 0.13), (0.13, 0.58), (0.24, 0.62), (0.30, 0.38), (0.23, 0.94), (0.50, 0.96), (0.77, 0.94),
            (0.70, 0.38), (0.76, 0.62), (0.87, 0.58), (0.76, 0.13), (0.61, 0.07)], smooth=False)
    p.fill([(0.45, 0.07), (0.55, 0.07), (0.50, 0.34)], (0.93, 0.93, 0.92), smooth=False)
    p.body([(0.39, 0.06), (0.46, 0.07), (0.49, 0.36), (0.34, 0.24)], smooth=False, shade=0.15)
    p.body([(0.61, 0.06), (0.54, 0.07), (0.51, 0.36), (0.66, 0.24)], smooth=False, shade=0.15)
    p.stroke([(0.50, 0.36), (0.50, 0.955)], 0.006)
    for y in (0.42, 0.52, 0.62):
        for x in (0.44, 0.56):
            p.disc(x, y, 0.016, mix(p.rgb, (0, 0, 0), 0.55) if luminance(p.rgb) > 0.2 else (0.6, 0.6, 0.6), True)
    p.seam([(0.29, 0.70), (0.40, 0.68)])
    p.seam([(0.71, 0.70), (0.60, 0.68)])


def sneakers(p):
    white = (0.97, 0.97, 0.96)
    p.body([(0.10, 0.38), (0.14, 0.32), (0.26, 0.33), (0.36, 0.30), (0.44, 0.36), (0.60, 0.50), (0.80, 0.56), (0.92, 0.64),
            (0.92, 0.71), (0.09, 0.71), (0.08, 0.52)])
    p.fill([(0.06, 0.69), (0.94, 0.68), (0.95, 0.75), (0.88, 0.785), (0.12, 0.785), (0.06, 0.76)], white)
    p.stroke([(0.08, 0.745), (0.94, 0.74)], 0.010, p.rgb if luminance(p.rgb) < 0.8 else (0.5, 0.5, 0.5))
    p.fill([(0.78, 0.575), (0.91, 0.64), (0.93, 0.70), (0.72, 0.70), (0.72, 0.63)], white)
    for i in range(5):
        x, y = 0.40 + i * 0.062, 0.355 + i * 0.043
        p.stroke([(x - 0.03, y + 0.055), (x + 0.035, y + 0.012)], 0.016, white)
    p.stroke([(0.20, 0.66), (0.36, 0.52), (0.52, 0.60), (0.66, 0.60)], 0.020, white)
    p.seam([(0.10, 0.50), (0.20, 0.52), (0.24, 0.70)])


def boots(p):
    p.body([(0.22, 0.10), (0.52, 0.10), (0.54, 0.45), (0.66, 0.58), (0.86, 0.66), (0.92, 0.78), (0.90, 0.83), (0.22, 0.83),
            (0.20, 0.60), (0.24, 0.40)])
    p.fill([(0.19, 0.82), (0.93, 0.82), (0.93, 0.87), (0.50, 0.88), (0.46, 0.86), (0.44, 0.93), (0.19, 0.93)],
           (0.16, 0.13, 0.11), smooth=False)
    for i in range(5):
        y = 0.20 + i * 0.075
        p.stroke([(0.40, y), (0.53, y + 0.02)], 0.013, (0.85, 0.78, 0.6))
    p.seam([(0.22, 0.16), (0.52, 0.16)])
    p.seam([(0.60, 0.56), (0.56, 0.70), (0.62, 0.82)])


def sandals(p):
    p.fill([(0.06, 0.70), (0.30, 0.66), (0.60, 0.71), (0.92, 0.70), (0.95, 0.76), (0.60, 0.80), (0.10, 0.79)],
           (0.62, 0.45, 0.28))
    p.body([(0.60, 0.70), (0.66, 0.52), (0.78, 0.50), (0.90, 0.70), (0.80, 0.715), (0.74, 0.58), (0.68, 0.715)])
    p.body([(0.36, 0.685), (0.44, 0.50), (0.52, 0.51), (0.58, 0.71), (0.50, 0.705), (0.47, 0.60), (0.43, 0.70)])
    p.body([(0.08, 0.70), (0.10, 0.44), (0.16, 0.40), (0.46, 0.52), (0.44, 0.58), (0.17, 0.48), (0.15, 0.69)])
    p.disc(0.31, 0.505, 0.026, (0.88, 0.76, 0.42), True)


def heels(p):
    p.body([(0.12, 0.34), (0.18, 0.28), (0.27, 0.34), (0.36, 0.50), (0.54, 0.62), (0.70, 0.58), (0.84, 0.66), (0.94, 0.78),
            (0.90, 0.81), (0.66, 0.81), (0.46, 0.74), (0.28, 0.58), (0.15, 0.52)])
    p.body([(0.13, 0.48), (0.27, 0.57), (0.20, 0.84), (0.155, 0.84)], smooth=False, shade=0.15)
    p.stroke([(0.30, 0.605), (0.48, 0.76), (0.68, 0.825), (0.92, 0.81)], 0.012, (0.15, 0.12, 0.11))


def loafers(p):
    p.body([(0.08, 0.48), (0.12, 0.42), (0.24, 0.45), (0.38, 0.48), (0.52, 0.44), (0.66, 0.50), (0.86, 0.58), (0.93, 0.68),
            (0.92, 0.71), (0.09, 0.71)])
    p.fill([(0.07, 0.70), (0.94, 0.70), (0.94, 0.745), (0.32, 0.75), (0.31, 0.79), (0.07, 0.79)], (0.20, 0.15, 0.12),
           smooth=False)
    p.body([(0.48, 0.45), (0.62, 0.48), (0.66, 0.68), (0.50, 0.68)], shade=0.25)
    p.stroke([(0.52, 0.55), (0.64, 0.57)], 0.018, (0.88, 0.76, 0.42))
    p.seam([(0.66, 0.56), (0.80, 0.60), (0.90, 0.69)])


def backpack(p):
    p.stroke([(0.40, 0.14), (0.42, 0.06), (0.50, 0.04), (0.58, 0.06), (0.60, 0.14)], 0.022)
    p.body([(0.13, 0.42), (0.18, 0.36), (0.22, 0.80), (0.17, 0.84)], shade=0.35, plain=True)
    p.body([(0.87, 0.42), (0.82, 0.36), (0.78, 0.80), (0.83, 0.84)], shade=0.35, plain=True)
    p.body([(0.24, 0.24), (0.34, 0.12), (0.50, 0.10), (0.66, 0.12), (0.76, 0.24), (0.80, 0.60), (0.78, 0.90), (0.50, 0.93),
            (0.22, 0.90), (0.20, 0.60)])
    p.body([(0.29, 0.57), (0.71, 0.57), (0.73, 0.86), (0.27, 0.86)], shade=0.12)
    p.seam([(0.29, 0.64), (0.71, 0.64)], smooth=False)
    p.seam([(0.24, 0.44), (0.32, 0.28), (0.50, 0.24), (0.68, 0.28), (0.76, 0.44)])
    p.disc(0.50, 0.64, 0.018, (0.88, 0.76, 0.42), True)


def handbag(p):
    p.stroke([(0.30, 0.44), (0.32, 0.20), (0.50, 0.12), (0.68, 0.20), (0.70, 0.44)], 0.040, mix(p.rgb, (0, 0, 0), 0.3))
    p.body([(0.22, 0.40), (0.78, 0.40), (0.90, 0.84), (0.50, 0.87), (0.10, 0.84)], smooth=False)
    p.body([(0.21, 0.39), (0.79, 0.39), (0.82, 0.56), (0.50, 0.64), (0.18, 0.56)], smooth=False, shade=0.15)
    p.disc(0.50, 0.62, 0.030, (0.90, 0.78, 0.42), True)
    p.disc(0.30, 0.44, 0.020, (0.90, 0.78, 0.42), True)
    p.disc(0.70, 0.44, 0.020, (0.90, 0.78, 0.42), True)
    p.seam([(0.14, 0.80), (0.50, 0.83), (0.86, 0.80)])


def tote(p):
    for x in (0.0, 0.03):
        p.stroke([(0.34 + x, 0.40), (0.36 + x, 0.16), (0.48, 0.08), (0.60 - x, 0.16), (0.63 - x, 0.40)], 0.026,
                 mix(p.rgb, (0, 0, 0), 0.28 if x == 0 else 0.1))
    p.body([(0.16, 0.34), (0.84, 0.34), (0.80, 0.92), (0.20, 0.92)], smooth=False)
    p.seam([(0.165, 0.385), (0.835, 0.385)])
    p.seam([(0.20, 0.885), (0.80, 0.885)])


def cap(p):
    p.body([(0.14, 0.62), (0.16, 0.42), (0.30, 0.27), (0.46, 0.24), (0.60, 0.29), (0.70, 0.44), (0.71, 0.62), (0.42, 0.57)])
    p.body([(0.40, 0.58), (0.70, 0.56), (0.88, 0.62), (0.97, 0.72), (0.80, 0.70), (0.56, 0.68)], shade=0.2)
    p.seam([(0.44, 0.245), (0.40, 0.40), (0.42, 0.57)])
    p.seam([(0.46, 0.245), (0.58, 0.38), (0.64, 0.56)])
    p.disc(0.45, 0.235, 0.022, p.rgb, True)


def hat(p):
    p.body([(0.04, 0.66), (0.26, 0.58), (0.50, 0.56), (0.74, 0.58), (0.96, 0.66), (0.76, 0.77), (0.50, 0.80), (0.24, 0.77)])
    p.body([(0.27, 0.64), (0.30, 0.34), (0.40, 0.26), (0.50, 0.31), (0.60, 0.26), (0.70, 0.34), (0.73, 0.64), (0.50, 0.69)])
    p.fill([(0.275, 0.56), (0.50, 0.61), (0.725, 0.56), (0.73, 0.65), (0.50, 0.70), (0.27, 0.65)],
           (0.15, 0.13, 0.13) if luminance(p.rgb) > 0.2 else (0.75, 0.72, 0.66))


def scarf(p):
    p.body([(0.50, 0.36), (0.64, 0.34), (0.74, 0.88), (0.56, 0.92)], smooth=False, shade=0.12)
    p.body([(0.28, 0.36), (0.44, 0.40), (0.46, 0.84), (0.27, 0.84)], smooth=False)
    p.body([(0.16, 0.24), (0.34, 0.13), (0.66, 0.13), (0.84, 0.24), (0.74, 0.40), (0.50, 0.46), (0.26, 0.40)])
    for i in range(7):
        p.stroke([(0.285 + i * 0.027, 0.84), (0.283 + i * 0.027, 0.91)], 0.010, p.rgb)
        p.stroke([(0.565 + i * 0.027, 0.915 - i * 0.006), (0.575 + i * 0.027, 0.975 - i * 0.006)], 0.010, p.rgb)


def belt(p):
    p.body([(0.03, 0.44), (0.72, 0.42), (0.97, 0.45), (0.98, 0.52), (0.72, 0.57), (0.03, 0.58)], smooth=False)
    p.seam([(0.05, 0.465), (0.72, 0.445)])
    p.seam([(0.05, 0.555), (0.72, 0.545)])
    for i in range(5):
        p.disc(0.66 + i * 0.055, 0.492 + i * 0.001, 0.011, (0.1, 0.09, 0.08))
    p.stroke([(0.13, 0.38), (0.36, 0.38), (0.36, 0.64), (0.13, 0.64)], 0.034, (0.80, 0.80, 0.82), smooth=False, close=True)
    p.stroke([(0.13, 0.38), (0.36, 0.38), (0.36, 0.64), (0.13, 0.64)], 0.006, (0.45, 0.45, 0.48), smooth=False, close=True)
    p.stroke([(0.14, 0.51), (0.40, 0.51)], 0.020, (0.70, 0.70, 0.73))


def sunglasses(p):
    for x in (0.26, 0.74):
        p.body([(x - 0.20, 0.40), (x, 0.37), (x + 0.20, 0.40), (x + 0.17, 0.60), (x, 0.67), (x - 0.17, 0.60)])
        p.fill([(x - 0.155, 0.435), (x, 0.41), (x + 0.155, 0.435), (x + 0.13, 0.58), (x, 0.63), (x - 0.13, 0.58)],
               (0.13, 0.15, 0.18))
        p.stroke([(x - 0.09, 0.56), (x - 0.01, 0.44)], 0.020, (1, 1, 1), alpha=0.5)
    p.stroke([(0.44, 0.44), (0.50, 0.41), (0.56, 0.44)], 0.034, p.rgb)
    p.stroke([(0.07, 0.42), (0.03, 0.30)], 0.034, p.rgb)
    p.stroke([(0.93, 0.42), (0.97, 0.30)], 0.034, p.rgb)


def watch(p):
    p.body([(0.39, 0.03), (0.61, 0.03), (0.64, 0.33), (0.36, 0.33)], smooth=False)
    p.body([(0.36, 0.67), (0.64, 0.67), (0.61, 0.97), (0.39, 0.97)], smooth=False)
    p.seam([(0.41, 0.05), (0.385, 0.31)])
    p.seam([(0.59, 0.05), (0.615, 0.31)])
    p.disc(0.50, 0.50, 0.235, (0.78, 0.79, 0.82), True)
    p.disc(0.50, 0.50, 0.195, (0.98, 0.98, 0.97), True)
    for k in range(12):
        a = k * math.pi / 6
        p.stroke([(0.50 + 0.155 * math.sin(a), 0.50 - 0.155 * math.cos(a)),
                  (0.50 + 0.178 * math.sin(a), 0.50 - 0.178 * math.cos(a))], 0.012, (0.2, 0.2, 0.22))
    p.stroke([(0.50, 0.50), (0.42, 0.44)], 0.018, (0.15, 0.15, 0.17))
    p.stroke([(0.50, 0.50), (0.58, 0.37)], 0.012, (0.15, 0.15, 0.17))
    p.disc(0.75, 0.50, 0.022, (0.70, 0.71, 0.74), True)


def tie(p):
    p.body([(0.46, 0.22), (0.54, 0.22), (0.63, 0.80), (0.50, 0.96), (0.37, 0.80)], smooth=False)
    p.body([(0.42, 0.06), (0.58, 0.06), (0.55, 0.22), (0.45, 0.22)], smooth=False, shade=0.15)


def socks(p):
    for dx, dy, shade in ((0.22, -0.04, 0.15), (0.0, 0.03, 0.0)):
        p.body([(0.22 + dx, 0.10 + dy), (0.46 + dx, 0.10 + dy), (0.46 + dx, 0.52 + dy), (0.60 + dx, 0.68 + dy),
                (0.66 + dx, 0.80 + dy), (0.56 + dx, 0.88 + dy), (0.40 + dx, 0.82 + dy), (0.25 + dx, 0.66 + dy),
                (0.22 + dx, 0.52 + dy)], shade=shade)
        for i in range(6):
            x = 0.235 + dx + i * 0.043
            p.stroke([(x, 0.11 + dy), (x, 0.19 + dy)], 0.008)
        p.stroke([(0.22 + dx, 0.20 + dy), (0.46 + dx, 0.20 + dy)], 0.010)


DRAW = {"t-shirt": t_shirt, "shirt": shirt, "sweater": sweater, "hoodie": hoodie, "dress": dress, "skirt": skirt,
        "trousers": trousers, "shorts": shorts, "jacket": jacket, "coat": coat, "sneakers": sneakers, "boots": boots,
        "sandals": sandals, "heels": heels, "loafers": loafers, "backpack": backpack, "handbag": handbag, "tote": tote,
        "cap": cap, "hat": hat, "scarf": scarf, "belt": belt, "sunglasses": sunglasses, "watch": watch, "tie": tie,
        "socks": socks}

FLAT = {"sneakers", "boots", "sandals", "heels", "loafers", "backpack", "handbag", "tote", "cap", "hat"}


def background(c, rng):
    light = rng.uniform(0.93, 1.0)
    tint = [light + rng.uniform(-0.025, 0.025) for _ in range(3)]
    g = cairo.LinearGradient(0, 0, 0, 1)
    g.add_color_stop_rgb(0, *[min(1, t + 0.02) for t in tint])
    g.add_color_stop_rgb(1, *[min(1, t - rng.uniform(0.01, 0.07)) for t in tint])
    c.set_source(g)
    c.paint()


def shadow(c, kind):
    flat = kind in FLAT
    c.save()
    c.translate(0.5, 0.87 if flat else 0.94)
    c.scale(0.46, 0.055 if flat else 0.035)
    g = cairo.RadialGradient(0, 0, 0, 0, 0, 1)
    g.add_color_stop_rgba(0, 0, 0, 0, 0.32)
    g.add_color_stop_rgba(1, 0, 0, 0, 0)
    c.set_source(g)
    c.arc(0, 0, 1, 0, 2 * math.pi)
    c.fill()
    c.restore()


def render(combination, seed, side, wild=1.0):
    """An RGB24 cairo surface, side x side. wild scales how far the view strays from straight and centred."""
    kind, colour, pattern, material = combination
    rng = random.Random(f"{combination}/{seed}")
    surface = cairo.ImageSurface(cairo.FORMAT_RGB24, side, side)
    c = cairo.Context(surface)
    c.scale(side, side)
    background(c, rng)
    scale = 1 - 0.10 - wild * rng.uniform(0, 0.22)
    c.translate(0.5 + wild * rng.uniform(-0.05, 0.05), 0.5 + wild * rng.uniform(-0.05, 0.05))
    shear = wild * rng.uniform(-0.14, 0.14)
    mirror = -1 if rng.random() < 0.5 else 1
    c.scale(scale * mirror, scale)
    c.save()
    c.translate(-0.5, -0.5)
    shadow(c, kind)
    c.restore()
    c.rotate(math.radians(wild * rng.uniform(-14, 14)))
    c.transform(cairo.Matrix(1, 0, shear, 1 - abs(shear) * 0.3, 0, 0))
    c.translate(-0.5, -0.5)
    DRAW[kind](Painter(c, colour, pattern, material, rng))
    return surface


def to_array(surface):
    """uint8 [side][side][3] RGB."""
    import numpy as np
    data = np.ndarray((surface.get_height(), surface.get_stride() // 4, 4), np.uint8, bytes(surface.get_data()))
    return data[:, :surface.get_width(), 2::-1].copy()

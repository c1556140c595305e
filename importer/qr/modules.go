package qr

import (
	"slices"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// modules are the shades of a code's modules.
type modules struct {
	size   int
	shades []float64
}

// modules reads the shade of each module, at five places of it.
func (g *grid) modules(p plane) modules {
	m := modules{g.size, make([]float64, g.size*g.size)}
	for i := range m.shades {
		x, y := float64(i%g.size)+0.5, float64(i/g.size)+0.5
		for _, d := range []point{{0, 0}, {0.2, 0}, {-0.2, 0}, {0, 0.2}, {0, -0.2}} {
			at := g.at(x+d.x, y+d.y)
			m.shades[i] += p.at(at.x, at.y) / 5
		}
	}
	return m
}

// around is the mean shade of the modules up to radius away, the module's own included.
func (m modules) around(x, y, radius int) float64 {
	sum, count := 0.0, 0.0
	for j := max(y-radius, 0); j <= min(y+radius, m.size-1); j++ {
		for i := max(x-radius, 0); i <= min(x+radius, m.size-1); i++ {
			sum += m.shades[j*m.size+i]
			count++
		}
	}
	return sum / count
}

// blurred is what a lens makes of the modules that gives part of each one's light to either neighbour, in both directions.
func (m modules) blurred(part float64) modules {
	once := func(from []float64, step int) []float64 {
		to := make([]float64, len(from))
		for i, v := range from {
			at := i / step % m.size
			before, after := v, v
			if at > 0 {
				before = from[i-step]
			}
			if at < m.size-1 {
				after = from[i+step]
			}
			to[i] = v + part*(before+after-2*v)
		}
		return to
	}
	return modules{m.size, once(once(m.shades, 1), m.size)}
}

// focused looks for modules that blurred would be these (Van Cittert's iteration, held between the darkest and the lightest).
func (m modules) focused(part float64) modules {
	if part == 0 {
		return m
	}
	low, high := slices.Min(m.shades), slices.Max(m.shades)
	sharp := modules{m.size, slices.Clone(m.shades)}
	for range 12 {
		again := sharp.blurred(part)
		for i, v := range sharp.shades {
			sharp.shades[i] = min(max(v+1.5*(m.shades[i]-again.shades[i]), low), high)
		}
	}
	return sharp
}

// bits tells black from white by the modules around each.
func (m modules) bits() *gozxing.BitMatrix {
	bits, _ := gozxing.NewSquareBitMatrix(m.size) // which fails only without modules
	for i, v := range m.shades {
		if x, y := i%m.size, i/m.size; v < m.around(x, y, 5) {
			bits.Set(x, y)
		}
	}
	return bits
}

// text decodes the modules. One code of a series that makes up a text together has none alone.
func (m modules) text() (text string, ok bool) {
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_CHARACTER_SET: "UTF-8"}
	result, err := decoder.NewDecoder().Decode(m.bits(), hints)
	if err != nil || result.HasStructuredAppend() {
		return "", false
	}
	return result.GetText(), true
}

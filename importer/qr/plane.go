package qr

import (
	"image"
	"image/color"

	"github.com/makiuchi-d/gozxing"
)

// plane is a picture in shades of grey, 0 for black.
type plane struct {
	width, height int
	pix           []byte
}

func newPlane(width, height int) plane {
	return plane{width: width, height: height, pix: make([]byte, width*height)}
}

// grey takes the colours out of a picture. What is transparent lies on white.
func grey(img image.Image) plane {
	b := img.Bounds()
	p := newPlane(b.Dx(), b.Dy())
	for y := range p.height {
		row := p.pix[y*p.width:][:p.width]
		switch img := img.(type) {
		case *image.Gray:
			copy(row, img.Pix[y*img.Stride:])
		case *image.YCbCr:
			copy(row, img.Y[y*img.YStride:])
		default:
			for x := range row {
				row[x] = shade(img.At(b.Min.X+x, b.Min.Y+y))
			}
		}
	}
	return p
}

func shade(c color.Color) byte {
	r, g, b, a := c.RGBA()
	return byte(((r+2*g+b)/4 + 0xffff - a) >> 8)
}

// at is the shade at a place between pixels, as a pixel's centre is at its coordinates plus a half.
func (p plane) at(x, y float64) float64 {
	x, y = inside(x-0.5, p.width), inside(y-0.5, p.height)
	i, j := int(x), int(y)
	fx, fy := x-float64(i), y-float64(j)
	above := p.pix[j*p.width+i:]
	below := p.pix[(j+1)*p.width+i:]
	return (float64(above[0])*(1-fx)+float64(above[1])*fx)*(1-fy) + (float64(below[0])*(1-fx)+float64(below[1])*fx)*fy
}

// inside moves a coordinate to the nearest that has a pixel on either side.
func inside(x float64, width int) float64 {
	if !(x > 0) { // which what is not a number is not
		return 0
	}
	return min(x, float64(width)-1.001)
}

func (p plane) negative() plane {
	n := newPlane(p.width, p.height)
	for i, v := range p.pix {
		n.pix[i] = 255 - v
	}
	return n
}

// halved has a pixel for each four, which takes noise away.
func (p plane) halved() plane {
	n := newPlane(p.width/2, p.height/2)
	for y := range n.height {
		a, b := p.pix[2*y*p.width:], p.pix[(2*y+1)*p.width:]
		for x := range n.width {
			n.pix[y*n.width+x] = byte((int(a[2*x]) + int(a[2*x+1]) + int(b[2*x]) + int(b[2*x+1]) + 2) / 4)
		}
	}
	return n
}

// enlarged has factor times as many pixels each way.
func (p plane) enlarged(factor int) plane {
	n := newPlane(p.width*factor, p.height*factor)
	for y := range n.height {
		for x := range n.width {
			n.pix[y*n.width+x] = byte(p.at((float64(x)+0.5)/float64(factor), (float64(y)+0.5)/float64(factor)) + 0.5)
		}
	}
	return n
}

// means calls visit for each row with the mean shade of the square around each of its pixels, radius pixels each way.
func (p plane) means(radius int, visit func(y int, means []int)) {
	columns, row := make([]int, p.width), make([]int, p.width)
	take := func(y, sign int) {
		if y < 0 || y >= p.height {
			return
		}
		for x, v := range p.pix[y*p.width:][:p.width] {
			columns[x] += sign * int(v)
		}
	}
	for y := range radius {
		take(y, 1)
	}
	for y := range p.height {
		take(y+radius, 1)
		take(y-radius-1, -1)
		rows := min(y+radius, p.height-1) - max(y-radius, 0) + 1
		sum := 0
		for x := range min(radius, p.width) {
			sum += columns[x]
		}
		for x := range row {
			if x+radius < p.width {
				sum += columns[x+radius]
			}
			if x-radius > 0 {
				sum -= columns[x-radius-1]
			}
			row[x] = sum / (rows * (min(x+radius, p.width-1) - max(x-radius, 0) + 1))
		}
		visit(y, row)
	}
}

// smoothed has the mean of the pixels around in place of each.
func (p plane) smoothed(radius int) plane {
	n := newPlane(p.width, p.height)
	p.means(radius, func(y int, means []int) {
		for x, mean := range means {
			n.pix[y*p.width+x] = byte(mean)
		}
	})
	return n
}

// sharpened has more of what tells a pixel from those around it.
func (p plane) sharpened(radius, times int) plane {
	n := newPlane(p.width, p.height)
	p.smoothed(radius).means(radius, func(y int, means []int) {
		for x, mean := range means {
			v := int(p.pix[y*p.width+x])
			n.pix[y*p.width+x] = byte(min(max(v+times*(v-mean), 0), 255))
		}
	})
	return n
}

// faint is how many shades a pixel has to be darker than those around it in order to be black: less is noise.
const faint = 3

// black tells which pixels are darker than the square around them.
func (p plane) black(radius int) *gozxing.BitMatrix {
	bits, _ := gozxing.NewBitMatrix(p.width, p.height) // which fails only without pixels
	p.means(radius, func(y int, means []int) {
		for x, v := range p.pix[y*p.width:][:p.width] {
			if int(v) < means[x]-faint {
				bits.Set(x, y)
			}
		}
	})
	return bits
}
